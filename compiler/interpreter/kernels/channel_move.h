// Kernels that move whole channels of values of rank 3 to 5: what Concat, Split and channel
// shuffles along axis 1 are, in any layout of blocks of channels.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/interpreter/kernel.h"

namespace octet::interpreter {

// Where a channel of an output comes from.
struct ChannelSource {
  static constexpr size_t kZero = SIZE_MAX;  // as operand: a channel of zeros
  size_t operand = 0;                        // of the kernel
  int64_t channel = 0;
};

struct ChannelMove {
  int64_t batch = 1;
  int64_t positions = 1;          // of one channel
  std::vector<int64_t> channels;  // of each operand
  // For each output, one source per channel.
  std::vector<std::vector<ChannelSource>> outputs;
};

// float32 in blocks of 8 or 16 channels; padding stays zero.
KernelPtr make_blocked_channel_move(ChannelMove move, int64_t block);

}  // namespace octet::interpreter
