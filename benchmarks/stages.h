// The stages that are measured. Each function adds its work to the stopwatch and the rows that follow from
// it; `items` must outlive both.
#pragma once

#include <vector>

#include "stage_table.h"
#include "stage_work.h"
#include "stopwatch.h"

namespace fastinet {

using WorkItems = std::vector<WorkItem>;
using StageRows = std::vector<StageRow>;

inline constexpr const char* kWholeImages = "Decoding of whole images, per pixel of the image";
inline constexpr const char* kCrops = "Decoding of training crops, per pixel of the crop";
inline constexpr const char* kResampling = "Resampling of training crops to 224 x 224, per pixel of the crop";
inline constexpr const char* kOutput = "Output of 224 x 224 samples, per pixel of the sample";
inline constexpr const char* kWhole = "From file to sample, per pixel of the sample";

// Decoding, on whole images and on crops.
void add_our_decoding(const WorkItems& items, Stopwatch& watch, StageRows& rows);

// The same by libjpeg-turbo with its own vector code (none with JSIMD_FORCENONE=1 in the environment). Its
// stages on whole images are differences between what its interface can stop after:
//   entropy decoding             jpeg_read_coefficients, less jpeg_read_header
//   dequantise and inverse DCT   raw_data_out, less jpeg_read_coefficients
//   upsampling                   scanlines as YCbCr, less raw_data_out
//   colour conversion            scanlines as RGB, less those as YCbCr
void add_turbo_decoding(const WorkItems& items, Stopwatch& watch, StageRows& rows);

// Resampling and output, stage by stage.
void add_resampling(const WorkItems& items, Stopwatch& watch, StageRows& rows);

// Everything: from the bytes of a file to a sample in a batch.
void add_whole(const WorkItems& items, Stopwatch& watch, StageRows& rows);

}  // namespace fastinet
