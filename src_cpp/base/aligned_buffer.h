// Uninitialised scratch memory on cache lines, kept from use to use.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace fastinet {

template <class T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  static constexpr size_t kAlignment = 64;

  // At least `size` elements; their values are lost if the buffer has to grow.
  T* reserve(size_t size) {
    if (size > capacity_) {
      data_.reset(static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{kAlignment})));
      capacity_ = size;
    }
    return data_.get();
  }
  size_t capacity() const { return capacity_; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  struct Delete {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Delete> data_;
  size_t capacity_ = 0;
};

}  // namespace fastinet
