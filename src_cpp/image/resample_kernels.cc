#include "image/resample_kernels.h"

#include "image/output_kernels.h"

namespace fastinet {

const ResampleKernels& resample_kernels() { return scalar_resample_kernels(); }
const OutputKernels& output_kernels() { return scalar_output_kernels(); }

}  // namespace fastinet
