#include "compiler/interpreter/kernels/channel_move.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "compiler/interpreter/kernel_registry.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define OCTET_LANE_PERMUTES 1
#endif

namespace octet::interpreter {
namespace {

constexpr int64_t kMostLanes = 16;
constexpr size_t kMostSources = 4;

// One block of an output: its lanes from up to four blocks of operands, or from any.
struct BlockMove {
  struct Source {
    size_t operand = 0;
    int64_t block = 0;
    bool operator==(const Source&) const = default;
  };
  std::vector<Source> sources;
  std::array<bool, kMostLanes> used = {};  // the others are zero
  std::array<uint8_t, kMostLanes> source = {};
  std::array<uint8_t, kMostLanes> lane = {};

  // All lanes in place from one block, padding from padding.
  bool is_copy = false;
};

BlockMove block_move(const std::vector<ChannelSource>& from, int64_t first, int64_t block,
                     const std::vector<int64_t>& channels) {
  BlockMove out;
  const auto count = static_cast<int64_t>(from.size());
  const int64_t lanes = std::min(block, count - first);
  bool in_place = true;
  for (int64_t l = 0; l < lanes; ++l) {
    const ChannelSource& s = from[static_cast<size_t>(first + l)];
    if (s.operand == ChannelSource::kZero) {
      in_place = false;
      continue;
    }
    out.used[static_cast<size_t>(l)] = true;
    const BlockMove::Source source{s.operand, s.channel / block};
    const auto at = std::find(out.sources.begin(), out.sources.end(), source);
    out.source[static_cast<size_t>(l)] = static_cast<uint8_t>(at - out.sources.begin());
    if (at == out.sources.end()) out.sources.push_back(source);
    out.lane[static_cast<size_t>(l)] = static_cast<uint8_t>(s.channel % block);
    in_place = in_place && s.channel % block == l;
  }
  if (!in_place || out.sources.size() != 1) return out;
  const BlockMove::Source& only = out.sources.front();
  out.is_copy = lanes == block || channels[only.operand] == only.block * block + lanes;
  return out;
}

void move_lanes(const BlockMove& move, const float* const* from, int64_t block, int64_t positions,
                float* to) {
  for (int64_t p = 0; p < positions; ++p, to += block) {
    for (int64_t l = 0; l < block; ++l) {
      const auto i = static_cast<size_t>(l);
      to[l] = move.used[i] ? from[move.source[i]][p * block + move.lane[i]] : 0.0F;
    }
  }
}

#ifdef OCTET_LANE_PERMUTES

// Two blocks by one instruction, two more by another.
__attribute__((target("avx512f"))) void permute_lanes(const BlockMove& move,
                                                      const float* const* from, int64_t positions,
                                                      float* to) {
  alignas(64) std::array<int32_t, kMostLanes> index = {};
  __mmask16 used = 0;
  __mmask16 second = 0;
  for (int64_t l = 0; l < kMostLanes; ++l) {
    const auto i = static_cast<size_t>(l);
    if (!move.used[i]) continue;
    index[i] = move.lane[i] + (move.source[i] % 2) * static_cast<int32_t>(kMostLanes);
    used = static_cast<__mmask16>(used | (1U << l));
    if (move.source[i] >= 2) second = static_cast<__mmask16>(second | (1U << l));
  }
  const __m512i indices = _mm512_load_si512(index.data());
  const float* const a = from[0];
  const float* const b = from[1];
  const float* const c = from[2];
  const float* const d = from[3];
  for (int64_t at = 0; at < positions * kMostLanes; at += kMostLanes) {
    __m512 out = _mm512_maskz_permutex2var_ps(used, _mm512_loadu_ps(a + at), indices,
                                              _mm512_loadu_ps(b + at));
    if (second != 0) {
      const __m512 more =
          _mm512_permutex2var_ps(_mm512_loadu_ps(c + at), indices, _mm512_loadu_ps(d + at));
      out = _mm512_mask_mov_ps(out, second, more);
    }
    _mm512_storeu_ps(to + at, out);
  }
}

bool has_lane_permutes() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0;
  return has;
}

#else

void permute_lanes(const BlockMove&, const float* const*, int64_t, float*) {}
bool has_lane_permutes() { return false; }

#endif

class BlockedChannelMove : public Kernel {
 public:
  BlockedChannelMove(ChannelMove move, int64_t block) : move_(std::move(move)), block_(block) {
    for (const auto& output : move_.outputs) {
      std::vector<BlockMove> blocks;
      const auto count = static_cast<int64_t>(output.size());
      for (int64_t first = 0; first < count; first += block_) {
        blocks.push_back(block_move(output, first, block_, move_.channels));
      }
      outputs_.push_back(std::move(blocks));
    }
  }

  Status execute(const Execution& e) const override {
    for (size_t o = 0; o < outputs_.size(); ++o) {
      if (e.outputs[o] == nullptr) continue;
      float* to = e.output<float>(o);
      for (int64_t n = 0; n < move_.batch; ++n) {
        for (const BlockMove& block : outputs_[o]) {
          run(block, e, n, to);
          to += move_.positions * block_;
        }
      }
    }
    return {};
  }

 private:
  const float* block_at(const Execution& e, const BlockMove::Source& source, int64_t image) const {
    const int64_t blocks = (move_.channels[source.operand] + block_ - 1) / block_;
    const int64_t at = image * blocks + source.block;
    return e.input<float>(source.operand) + at * move_.positions * block_;
  }

  void run(const BlockMove& move, const Execution& e, int64_t image, float* to) const {
    if (move.is_copy) {
      const auto bytes = static_cast<size_t>(move_.positions * block_) * sizeof(float);
      std::memcpy(to, block_at(e, move.sources.front(), image), bytes);
      return;
    }
    if (move.sources.empty()) {
      std::fill_n(to, move_.positions * block_, 0.0F);
      return;
    }
    std::array<const float*, kMostLanes> from;
    for (size_t i = 0; i < from.size(); ++i) {
      from[i] = block_at(e, move.sources[i < move.sources.size() ? i : 0], image);
    }
    if (block_ == kMostLanes && move.sources.size() <= kMostSources && has_lane_permutes()) {
      permute_lanes(move, from.data(), move_.positions, to);
    } else {
      move_lanes(move, from.data(), block_, move_.positions, to);
    }
  }

  ChannelMove move_;
  int64_t block_;
  std::vector<std::vector<BlockMove>> outputs_;
};

}  // namespace

namespace {

class CompactionKernel : public Kernel {
 public:
  CompactionKernel(std::span<const int64_t> shape, int64_t block)
      : batch_(shape[0]), channels_(shape[1]), block_(block) {
    for (const int64_t extent : shape.subspan(2)) positions_ *= extent;
  }

  Status execute(const Execution& e) const override {
    const float* from = e.input<float>(0);
    float* to = e.output<float>();
    const int64_t whole = channels_ / block_ * positions_ * block_;
    const int64_t lanes = channels_ % block_;
    for (int64_t n = 0; n < batch_; ++n) {
      std::copy_n(from, whole, to);
      from += whole;
      to += whole;
      for (int64_t p = 0; lanes > 0 && p < positions_; ++p, from += block_, to += lanes) {
        for (int64_t l = 0; l < lanes; ++l) to[l] = from[l];
      }
    }
    return {};
  }

 private:
  int64_t batch_;
  int64_t channels_;
  int64_t positions_ = 1;
  int64_t block_;
};

}  // namespace

KernelPtr make_compaction(std::span<const int64_t> shape, int64_t block) {
  auto kernel = std::make_unique<CompactionKernel>(shape, block);
  kernel->needs = {InputNeed::as_is()};
  kernel->output_layouts = {Layout()};
  return kernel;
}

KernelPtr make_blocked_channel_move(ChannelMove move, int64_t block) {
  return std::make_unique<BlockedChannelMove>(std::move(move), block);
}

}  // namespace octet::interpreter
