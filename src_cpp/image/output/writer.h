// The fused last write: rows of planar pixels become rows of a sample in its dtype and layout.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "image/geometry.h"
#include "image/output/format.h"
#include "image/output/kernels.h"

namespace fastinet {

// Scratch for one thread.
class OutputWriter {
 public:
  // Throws Error{kArgument} for a mean or standard deviation that cannot be used.
  explicit OutputWriter(const OutputFormat& format);

  // The sample that the following rows belong to.
  void start(Size size, void* out);

  // Row y of the sample. The planes may be the same one.
  void write_row(int y, const std::array<const uint8_t*, 3>& planes);

  // After the last row: makes the sample visible to whatever thread is told of it next.
  void finish();

 private:
  template <class T>
  void write_floats(int y, const std::array<const uint8_t*, 3>& planes,
                    void (*convert)(const uint8_t*, size_t, const Conversion&, T*));

  OutputFormat format_;
  const OutputKernels* kernels_;
  const OutputKernels* convert_;
  std::vector<float> tables_;            // 3 x 256
  std::vector<Conversion> conversions_;  // one a channel, then one for interleaved rows
  AlignedBuffer<uint8_t> interleaved_;
  Size size_;
  void* out_ = nullptr;
};

}  // namespace fastinet
