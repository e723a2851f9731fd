#pragma once

#include <pybind11/pybind11.h>

namespace fastinet::python {

// Lets go of the GIL for its lifetime. Where the interpreter ends meanwhile, Python ends a daemon thread that
// wants the GIL back by unwinding its stack, which pybind11's class turns into std::terminate: its destructor
// may not throw.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ~ReleasedGil() noexcept(false) { PyEval_RestoreThread(state_); }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace fastinet::python
