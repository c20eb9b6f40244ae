// What devices compute, three ways that must agree to the bit: fast kernels, reference evaluation,
// and the formula written out here from the description of the device's kernel: bytes in rows,
// multiplied pair by pair, zero points taken off by sums of rows and columns.
#include <array>
#include <cmath>

#include "tests/unit/compiler/interpreter/integer_support.h"

namespace octet::interpreter {
namespace {

constexpr int32_t kXZero = 117;
constexpr int32_t kYZero = 131;
constexpr float kXScale = 0.021F;
constexpr float kYScale = 0.37F;

Tensor random_bytes(uint64_t seed, const Ints& shape) {
  Random random(seed);
  auto out = must(Tensor::zeros(DType::kUint8, shape));
  for (uint8_t& x : out.mutable_data<uint8_t>()) {
    x = static_cast<uint8_t>(random.below(3) == 0 ? 255 : random.below(256));
  }
  return out;
}

// Mostly great weights, so that many pairs saturate.
Tensor great_weights(uint64_t seed, const Ints& shape) {
  Random random(seed);
  auto out = must(Tensor::zeros(DType::kInt8, shape));
  for (int8_t& w : out.mutable_data<int8_t>()) {
    const int64_t size = random.below(4) == 0 ? random.below(128) : 100 + random.below(28);
    w = static_cast<int8_t>(random.below(2) == 0 ? size : -size);
  }
  return out;
}

int32_t clamp16(int32_t x) { return std::min(std::max(x, -32768), 32767); }

enum class Pairs { kExact, kSaturating };

// One row of u8 activations and one column of s8 weights, zero points known: the device adds raw
// products and then takes off x_zero times the column's sum.
int32_t product(const std::vector<int32_t>& u, const std::vector<int32_t>& s, Pairs pairs) {
  int32_t sum = 0;
  int32_t column = 0;
  for (size_t k = 0; k < u.size(); k += 2) {
    const bool two = k + 1 < u.size();
    const int32_t pair = u[k] * s[k] + (two ? u[k + 1] * s[k + 1] : 0);
    sum += pairs == Pairs::kSaturating ? clamp16(pair) : pair;
    column += s[k] + (two ? s[k + 1] : 0);
  }
  return sum - kXZero * column;
}

uint8_t by_float(int32_t sum, float w_scale) {
  const float product_of_scales = kXScale * w_scale;
  const float steps = std::nearbyint(static_cast<float>(sum) * (product_of_scales / kYScale));
  return static_cast<uint8_t>(std::min(std::max(steps + static_cast<float>(kYZero), 0.0F), 255.0F));
}

// Mantissa and shift of the factor, then two roundings: half up, and half away from zero.
uint8_t by_fixed_point(int32_t sum, float w_scale) {
  const double factor = static_cast<double>(kXScale) * w_scale / static_cast<double>(kYScale);
  int exponent = 0;
  const auto mantissa = static_cast<int64_t>(std::round(std::frexp(factor, &exponent) * 0x1p31));
  const double high = std::floor(static_cast<double>(sum * mantissa) * 0x1p-31 + 0.5);
  const double steps = std::round(std::ldexp(high, exponent));
  return static_cast<uint8_t>(std::min(std::max(steps + kYZero, 0.0), 255.0));
}

struct Device {
  Arithmetic arithmetic;
  Pairs pairs;
  uint8_t (*requantize)(int32_t sum, float w_scale);
};
constexpr std::array<Device, 3> kDevices = {{
    {Arithmetic::kInteger, Pairs::kExact, by_float},
    {Arithmetic::kSaturatingPairs, Pairs::kSaturating, by_float},
    {Arithmetic::kFixedPoint, Pairs::kExact, by_fixed_point},
}};

struct Scales {
  std::vector<float> w;
  explicit Scales(int64_t channels) : w(random_tensor(5, {channels}, 0.001F, 0.01F).to_floats()) {}
};

ValueId byte(GraphBuilder& b, int32_t value) {
  return number(b, "zero", Tensor::scalar(static_cast<uint8_t>(value)));
}
ValueId real(GraphBuilder& b, float value) { return number(b, "scale", Tensor::scalar(value)); }

// x, weights and what goes with them in the order of QLinearConv and QLinearMatMul.
std::vector<ValueId> operands(GraphBuilder& b, ValueId x, Tensor weights, const Scales& scales) {
  const auto channels = static_cast<int64_t>(scales.w.size());
  return {x,
          real(b, kXScale),
          byte(b, kXZero),
          number(b, "w", std::move(weights)),
          number(b, "w_scale", Tensor::of<float>({channels}, scales.w)),
          number(b, "w_zero", must(Tensor::zeros(DType::kInt8, {channels}))),
          real(b, kYScale),
          byte(b, kYZero)};
}

void expect_bytes(const std::shared_ptr<const Graph>& graph, const Tensor& x, const Device& device,
                  const std::vector<uint8_t>& expected) {
  for (const Kernels kernels : {Kernels::kFast, Kernels::kReference}) {
    Options options;
    options.kernels = kernels;
    options.arithmetic = device.arithmetic;
    const Tensor out = run(graph, {x}, options)[0];
    const auto found = out.data<uint8_t>();
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i], expected[i])
          << "element " << i << ", arithmetic " << static_cast<int>(device.arithmetic)
          << ", kernels " << static_cast<int>(kernels);
    }
  }
}

TEST(DeviceArithmetic, MatMul) {
  constexpr int64_t kRows = 6, kDepth = 37, kColumns = 11;
  const Tensor x = random_bytes(1, {kRows, kDepth});
  const Tensor w = great_weights(2, {kDepth, kColumns});
  const Scales scales(kColumns);
  auto b = builder(21);
  b.output(
      b.op("QLinearMatMul", operands(b, b.input("x", {kRows, kDepth}, DType::kUint8), w, scales)));
  const auto graph = std::make_shared<const Graph>(b.finish());
  std::vector<std::vector<uint8_t>> results;
  for (const Device& device : kDevices) {
    std::vector<uint8_t> expected;
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kColumns; ++j) {
        std::vector<int32_t> u, s;
        for (int64_t k = 0; k < kDepth; ++k) {
          u.push_back(static_cast<int32_t>(x.at_as_int64(i * kDepth + k)));
          s.push_back(static_cast<int32_t>(w.at_as_int64(k * kColumns + j)));
        }
        expected.push_back(
            device.requantize(product(u, s, device.pairs), scales.w[static_cast<size_t>(j)]));
      }
    }
    expect_bytes(graph, x, device, expected);
    results.push_back(std::move(expected));
  }
  EXPECT_NE(results[0], results[1]) << "no pair saturates: the test shows nothing";
}

struct ConvShape {
  const char* name;
  int64_t channels, height, width, outputs, kernel, pad, stride, group;
};
void PrintTo(const ConvShape& c, std::ostream* out) { *out << c.name; }

class DeviceConv : public ::testing::TestWithParam<ConvShape> {};

// Rows of activations under the kernel: positions in row-major order, channels of the group within.
TEST_P(DeviceConv, IsRowsTimesColumns) {
  const ConvShape& c = GetParam();
  const int64_t per_group = c.channels / c.group;
  const int64_t out_h = (c.height + 2 * c.pad - c.kernel) / c.stride + 1;
  const int64_t out_w = (c.width + 2 * c.pad - c.kernel) / c.stride + 1;
  const Tensor x = random_bytes(3, {1, c.channels, c.height, c.width});
  const Tensor w = great_weights(4, {c.outputs, per_group, c.kernel, c.kernel});
  const Scales scales(c.outputs);
  auto b = builder(21);
  b.output(b.op("QLinearConv", operands(b, b.input("x", x.shape(), DType::kUint8), w, scales),
                {{"pads", Ints{c.pad, c.pad, c.pad, c.pad}},
                 {"strides", Ints{c.stride, c.stride}},
                 {"group", c.group}}));
  const auto graph = std::make_shared<const Graph>(b.finish());
  const bool depthwise = per_group == 1 && c.outputs == c.group && c.group > 1;
  for (const Device& device : kDevices) {
    std::vector<uint8_t> expected;
    for (int64_t m = 0; m < c.outputs; ++m) {
      const int64_t first = m / (c.outputs / c.group) * per_group;
      for (int64_t o = 0; o < out_h * out_w; ++o) {
        std::vector<int32_t> u, s;
        for (int64_t t = 0; t < c.kernel * c.kernel; ++t) {
          const int64_t row = o / out_w * c.stride - c.pad + t / c.kernel;
          const int64_t column = o % out_w * c.stride - c.pad + t % c.kernel;
          const bool inside = row >= 0 && row < c.height && column >= 0 && column < c.width;
          for (int64_t i = 0; i < per_group; ++i) {
            const int64_t at = ((first + i) * c.height + row) * c.width + column;
            u.push_back(inside ? static_cast<int32_t>(x.at_as_int64(at)) : kXZero);
            s.push_back(
                static_cast<int32_t>(w.at_as_int64((m * per_group + i) * c.kernel * c.kernel + t)));
          }
        }
        expected.push_back(
            device.requantize(product(u, s, depthwise ? Pairs::kExact : device.pairs),
                              scales.w[static_cast<size_t>(m)]));
      }
    }
    expect_bytes(graph, x, device, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DeviceConv,
                         ::testing::Values(ConvShape{"Padded", 8, 7, 6, 5, 3, 1, 1, 1},
                                           ConvShape{"OddChannels", 3, 9, 8, 17, 3, 1, 2, 1},
                                           ConvShape{"Pointwise", 16, 4, 5, 24, 1, 0, 1, 1},
                                           ConvShape{"Groups", 12, 6, 6, 8, 3, 1, 1, 2},
                                           ConvShape{"ChannelMultiplier", 4, 6, 6, 8, 3, 0, 1, 4},
                                           ConvShape{"Depthwise", 6, 6, 6, 6, 3, 1, 1, 6}),
                         [](const ::testing::TestParamInfo<ConvShape>& info) {
                           return std::string(info.param.name);
                         });

Tensor filled(DType dtype, const Ints& shape, int64_t value) {
  auto out = must(Tensor::zeros(dtype, shape));
  for (int64_t i = 0; i < out.element_count(); ++i) out.set_from_int64(i, value);
  return out;
}

int64_t sum_of_64(const Tensor& x, int64_t weight, Tensor zero_point) {
  auto b = builder(21);
  const ValueId w = number(b, "w", filled(DType::kInt8, {64, 1}, weight));
  b.output(b.op("MatMulInteger",
                {b.input("x", {1, 64}, x.dtype()), w, number(b, "zero", std::move(zero_point))}));
  const auto graph = std::make_shared<const Graph>(b.finish());
  Options options;
  options.arithmetic = Arithmetic::kSaturatingPairs;
  return run(graph, {x}, options)[0].at_as_int64(0);
}

// As measured on ONNX Runtime where AVX2 is all there is.
TEST(DeviceArithmetic, GreatestProductsSaturate) {
  const Tensor greatest = filled(DType::kUint8, {1, 64}, 255);
  const Tensor zero = Tensor::scalar(uint8_t{128});
  EXPECT_EQ(sum_of_64(greatest, 127, zero), 8160) << "exact: 1032256";
  EXPECT_EQ(sum_of_64(greatest, -128, zero), 0) << "exact: -1040384";
  EXPECT_EQ(sum_of_64(greatest, 64, zero), 520192) << "exact";
}

// There is no such instruction for two signed bytes.
TEST(DeviceArithmetic, SignedActivationsDoNotSaturate) {
  EXPECT_EQ(sum_of_64(filled(DType::kInt8, {1, 64}, 127), 127, Tensor::scalar(int8_t{0})), 1032256);
}

}  // namespace
}  // namespace octet::interpreter
