// libjpeg-turbo's "fancy" upsampling (jdsample.c): a triangle filter, 3/4 of the nearer sample and 1/4 of
// the further one in each direction that is doubled, with the rounding that alternates from sample to
// sample.
//
// One row at a time. Samples before the first and after the last of a component's row repeat it, and the row
// above the first and below the last repeats that one; the caller sees to both. Then the general
// formula gives what libjpeg-turbo computes with special cases.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastinet::jpeg {

// The functions below may read this many bytes beyond either end of their input and write as many beyond
// the end of their output.
inline constexpr size_t kRowPadding = 64;

// out[2i] and out[2i + 1] for i in [0, count) from in[-1 .. count].
void upsample_h2v1(const uint8_t* in, size_t count, uint8_t* out);

// An output row lies nearer to the input row `near` and, on the side of `far`, further from the next one:
// above it for even output rows (`below` false), below it for odd ones.
void upsample_h1v2(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out);

// Both: out[2i] and out[2i + 1] from near[-1 .. count] and far[-1 .. count].
void upsample_h2v2(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out);

// The same in plain C++: the references.
void upsample_h2v1_scalar(const uint8_t* in, size_t count, uint8_t* out);
void upsample_h1v2_scalar(const uint8_t* near, const uint8_t* far, bool below, size_t count, uint8_t* out);
void upsample_h2v2_scalar(const uint8_t* near, const uint8_t* far, size_t count, uint8_t* out);

}  // namespace fastinet::jpeg
