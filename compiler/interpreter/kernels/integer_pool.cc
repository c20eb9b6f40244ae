// QLinearGlobalAveragePool, channels last or row-major.
#include <algorithm>

#include "compiler/base/vectorized.h"
#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/numerics/fixed_point.h"

namespace octet::interpreter {
namespace {

// Adds a row of numbers to sums.
template <typename T>
OCTET_INLINE void accumulate(const T* row, int64_t count, int32_t* sums) {
  for (int64_t c = 0; c < count; ++c) sums[c] += row[c];
}
OCTET_VECTORIZED void add_row(const uint8_t* row, int64_t count, int32_t* sums) {
  accumulate(row, count, sums);
}
OCTET_VECTORIZED void add_row(const int8_t* row, int64_t count, int32_t* sums) {
  accumulate(row, count, sums);
}

// From sums to means.
class MeanStage {
 public:
  MeanStage(const KernelRequest& request, float x_scale, float y_scale, int64_t positions)
      : is_fixed_point_(request.device.is_fixed_point()),
        stage_(std::vector<float>(channels(request),
                                  x_scale / (y_scale * static_cast<float>(positions))),
               {}),
        fixed_(std::vector(channels(request),
                           numerics::FixedPointMultiplier(
                               static_cast<double>(x_scale) /
                               (static_cast<double>(y_scale) * static_cast<double>(positions)))),
               {}) {}

  void requantize(std::span<const int32_t> sums, const numerics::QuantizedRange& range,
                  std::span<uint8_t> out) const {
    if (is_fixed_point_) {
      fixed_.requantize(sums, range, out);
    } else {
      stage_.requantize(sums, range, out);
    }
  }

 private:
  static size_t channels(const KernelRequest& request) {
    return static_cast<size_t>(request.input(0).shape[1]);
  }

  bool is_fixed_point_;
  numerics::OutputStage stage_;
  numerics::FixedPointStage fixed_;
};

template <typename T>
class GlobalAverageKernel : public Kernel {
 public:
  GlobalAverageKernel(int64_t batch, int64_t channels, int64_t positions, Layout layout,
                      int32_t zero_point, MeanStage stage, numerics::QuantizedRange range)
      : batch_(batch),
        channels_(channels),
        positions_(positions),
        last_(layout.channel_block().has_value()),
        zero_point_(zero_point),
        stage_(std::move(stage)),
        range_(range) {
    scratch_bytes = channels_ * static_cast<int64_t>(sizeof(int32_t));
  }

  Status execute(const Execution& e) const override {
    auto* sums = reinterpret_cast<int32_t*>(e.scratch);
    const T* x = e.input<T>(0);
    for (int64_t n = 0; n < batch_; ++n) {
      const int64_t offset = zero_point_ * positions_;
      std::fill(sums, sums + channels_, -static_cast<int32_t>(offset));
      for (int64_t i = 0; i < (last_ ? positions_ : channels_); ++i) {
        if (last_) {
          add_row(x, channels_, sums);
          x += channels_;
        } else {
          for (int64_t k = 0; k < positions_; ++k) sums[i] += x[k];
          x += positions_;
        }
      }
      const auto count = static_cast<size_t>(channels_);
      stage_.requantize({sums, count}, range_, {e.output<uint8_t>() + n * channels_, count});
    }
    return {};
  }

 private:
  int64_t batch_;
  int64_t channels_;
  int64_t positions_;
  bool last_;
  int32_t zero_point_;
  MeanStage stage_;
  numerics::QuantizedRange range_;
};

constexpr int64_t kMostPositions = 1 << 22;  // their sum, less the zero points, fits 32 bits

}  // namespace

Result<KernelPtr> make_integer_global_average(const KernelRequest& request) {
  const Operand& x = request.input(0);
  const auto given = scale_and_zero(request, 1, 2);
  const auto y = output_range(request, 3, 4);
  if (!given || !y || !is_byte(x.dtype) || x.shape.size() < 3 ||
      ir::int_attribute(request.node, "channels_last", 0) != 0) {
    return KernelPtr();
  }
  const int64_t positions = x.count() / (x.shape[0] * x.shape[1]);
  if (positions > kMostPositions) return KernelPtr();
  MeanStage stage(request, given->scale, y->scale, positions);
  const Layout layout = x.layout.channel_block() == x.shape[1] ? x.layout : Layout();
  KernelPtr kernel;
  if (x.dtype == ir::DType::kInt8) {
    kernel = std::make_unique<GlobalAverageKernel<int8_t>>(
        x.shape[0], x.shape[1], positions, layout, given->zero_point, std::move(stage), y->range);
  } else {
    kernel = std::make_unique<GlobalAverageKernel<uint8_t>>(
        x.shape[0], x.shape[1], positions, layout, given->zero_point, std::move(stage), y->range);
  }
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {integer_layout(request.outputs[0].shape)};
  return kernel;
}

}  // namespace octet::interpreter
