// What tells one calibration sample from another.
#pragma once

#include <cstdint>

#include "compiler/data/dataset.h"

namespace octet::calibration {

// A hash of all bytes of its tensors, whatever file and place they come from. The same on all
// little-endian machines.
uint64_t sample_digest(const data::Sample& sample);

}  // namespace octet::calibration
