#include "storage/bus_error.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "shard/support.h"

namespace fastinet {
namespace {

using namespace test;

constexpr size_t kSize = 64 * 1024;
#if defined(__SANITIZE_THREAD__)
constexpr int kSanitizerStatus = 66;
#elif defined(__SANITIZE_ADDRESS__)
constexpr int kSanitizerStatus = 1;
#else
constexpr int kSanitizerStatus = -1;
#endif

// A mapping whose file has shrunk to nothing: each read of it is a SIGBUS.
class Broken {
 public:
  Broken() : address_(map()) {}
  ~Broken() { munmap(address_, kSize); }
  const volatile uint8_t* data() const { return static_cast<const volatile uint8_t*>(address_); }
  const void* address() const { return address_; }

 private:
  void* map() {
    const std::string path = folder_.file("f");
    write_bytes(path, std::vector<uint8_t>(kSize, 7));
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* const address = mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_EQ(ftruncate(fd, 0), 0);
    close(fd);
    return address;
  }

  const TempFolder folder_;
  void* const address_;
};

void install(void (*handler)(int), struct sigaction* old) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGBUS, &action, old);
}

// How a child ends that does this. A sanitizer reports a fatal signal itself and exits with a status of its
// own.
constexpr int kDied = -1;
int outcome(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const bool died =
      WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == kSanitizerStatus;
  return died ? kDied : status;
}

// A handler in the manner of faulthandler: says something, puts back what it replaced, and raises again.
struct sigaction g_replaced;
int g_said = 0;
void complain(int signal) {
  if (++g_said > 1) _exit(42);  // a loop
  sigaction(signal, &g_replaced, nullptr);
  raise(signal);
}

TEST(BusErrorGuard, ReadsZerosBehindTheEndOfAFileThatShrank) {
  const Broken broken;
  const BusErrorGuard guard(broken.address(), kSize);
  EXPECT_FALSE(guard.broken());
  EXPECT_EQ(broken.data()[kSize - 1], 0);
  EXPECT_TRUE(guard.broken());
}

TEST(BusErrorGuard, SurvivesAHandlerThatIsInstalledAfterIt) {
  EXPECT_EQ(outcome([] {
              const Broken broken;
              const BusErrorGuard guard(broken.address(), kSize);
              for (int again = 0; again < 40; ++again) {  // more often than there are levels
                install([](int) { _exit(3); }, nullptr);
                BusErrorGuard::keep_installed();
              }
              _exit(broken.data()[0] == 0 && guard.broken() ? 0 : 1);
            }),
            0);
}

TEST(BusErrorGuard, LeavesAFaultThatIsNotItsOwnToTheHandlerInstalledBeforeOrAfter) {
  for (const bool before : {true, false}) {
    EXPECT_EQ(outcome([before] {
                if (before) signal(SIGBUS, [](int) { _exit(3); });
                const Broken guarded, foreign;
                const BusErrorGuard guard(guarded.address(), kSize);
                if (!before) signal(SIGBUS, [](int) { _exit(3); });
                BusErrorGuard::keep_installed();
                if (guarded.data()[0] != 0) _exit(2);
                (void)foreign.data()[0];
              }),
              W_EXITCODE(3, 0));
  }
}

TEST(BusErrorGuard, HandlersThatPutBackWhatTheyReplacedNeverMakeALoop) {
  for (const bool sent : {true, false}) {
    EXPECT_EQ(outcome([sent] {
                const Broken guarded, foreign;
                const BusErrorGuard guard(guarded.address(), kSize);
                install(complain, &g_replaced);
                BusErrorGuard::keep_installed();
                if (sent) raise(SIGBUS);
                (void)foreign.data()[0];
              }),
              kDied);
  }
}

TEST(BusErrorGuard, AHandlerThatWasWithdrawnIsNotCalled) {
  EXPECT_EQ(outcome([] {
              const Broken guarded, foreign;
              const BusErrorGuard guard(guarded.address(), kSize);
              struct sigaction replaced {};
              install([](int) { _exit(3); }, &replaced);
              BusErrorGuard::keep_installed();
              sigaction(SIGBUS, &replaced, nullptr);
              BusErrorGuard::keep_installed();
              if (guarded.data()[0] != 0) _exit(2);
              (void)foreign.data()[0];
            }),
            kDied);
}

TEST(BusErrorGuard, NothingIsMappedOverAddressesThatWereGivenBack) {
  // Readers fault in ranges of their own all the time while others come and go.
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop) {
      const Broken broken;
      const BusErrorGuard guard(broken.address(), kSize);
      EXPECT_EQ(broken.data()[0], 0);
    }
  });
  for (int round = 0; round < 200; ++round) {
    void* const address = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    { const BusErrorGuard guard(address, kSize); }
    auto* const bytes = static_cast<uint8_t*>(address);
    std::fill_n(bytes, kSize, uint8_t{5});
    std::this_thread::yield();
    EXPECT_EQ(std::count(bytes, bytes + kSize, 5), static_cast<ptrdiff_t>(kSize));
    munmap(address, kSize);
  }
  stop = true;
  other.join();
}

}  // namespace
}  // namespace fastinet
