#include "tests/support/random_values.h"

#include <bit>
#include <limits>
#include <utility>

#include "tests/support/graph_builder.h"

namespace octet::testing {

using ir::Dim;
using ir::DType;
using ir::QuantParams;
using ir::Shape;
using ir::Tensor;
using ir::TensorPtr;
using ir::TensorType;

uint64_t Random::bits() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

float Random::between(float low, float high) {
  constexpr float kSteps = 1 << 24;
  return low + (high - low) * static_cast<float>(bits() >> 40) / kSteps;
}

std::string odd_bytes(Random& random) {
  static const std::vector<std::string> kBits = {
      "a",  "B7",   "_",    ".",    "/",  "-",        ":",  " ",    "\"", "\\",
      "\n", "\t",   "\r",   "%",    "#",  "\xC3\xA9", "日", "🙂", ";",  "\x01",
      "{",  "\xFF", "\x80", "\xC2", "->", "base",     "[",  ",",    "="};
  std::string out;
  for (int64_t i = random.below(8); i >= 0; --i) out += random.pick(kBits);
  if (random.one_in(8)) out += '\0';
  return out;
}

float odd_float(Random& random) {
  static const std::vector<float> kOdd = {0.0F,
                                          -0.0F,
                                          1.0F,
                                          0.1F,
                                          std::numeric_limits<float>::infinity(),
                                          -std::numeric_limits<float>::infinity(),
                                          std::numeric_limits<float>::quiet_NaN(),
                                          std::numeric_limits<float>::denorm_min(),
                                          std::numeric_limits<float>::max()};
  return random.one_in(2) ? random.pick(kOdd)
                          : std::bit_cast<float>(static_cast<uint32_t>(random.bits()));
}

TensorType odd_type(Random& random) {
  static const std::vector<DType> kTypes = {
      DType::kUndefined, DType::kFloat32, DType::kFloat16, DType::kBfloat16, DType::kInt64,
      DType::kString,    DType::kBool,    DType::kUint8,   DType::kInt4,     DType::kComplex64};
  TensorType type;
  type.storage = random.pick(kTypes);
  if (random.one_in(4)) return type;
  std::vector<Dim> dims;
  for (int64_t i = random.below(4); i > 0; --i) {
    switch (random.below(4)) {
      case 0:
        dims.emplace_back();
        break;
      case 1:
        dims.push_back(Dim::named(random.one_in(2) ? "N" : odd_bytes(random)));
        break;
      default:
        dims.emplace_back(random.below(5));
    }
  }
  type.shape = Shape(std::move(dims));
  return type;
}

QuantParams random_quant(Random& random, DType storage, const std::vector<int64_t>& shape) {
  QuantParams::Spec spec;
  spec.storage = storage;
  const numerics::IntegerRange range = numerics::integer_range(storage);
  spec.qmin = static_cast<int32_t>(range.min) + (random.one_in(2) ? 1 : 0);
  spec.qmax = static_cast<int32_t>(range.max);
  size_t count = 1;
  if (!shape.empty() && random.one_in(2)) {
    spec.granularity = random.one_in(3) ? ir::Granularity::kBlocked : ir::Granularity::kPerAxis;
    spec.axis = random.below(static_cast<int64_t>(shape.size()));
    count = static_cast<size_t>(shape[static_cast<size_t>(spec.axis)]);
    if (spec.granularity == ir::Granularity::kBlocked) {
      spec.block_size = 1;
      count = static_cast<size_t>(*Shape::of(shape).element_count());
    }
  }
  for (size_t i = 0; i < count; ++i) {
    spec.scales.push_back(random.between(1e-3F, 1.0F));
    spec.zero_points.push_back(random.one_in(2) ? 0 : static_cast<int32_t>(range.max) - 1);
  }
  return must(QuantParams::make(std::move(spec)));
}

namespace {

std::vector<int64_t> small_shape(Random& random) {
  std::vector<int64_t> shape;
  for (int64_t i = random.below(4); i > 0; --i) shape.push_back(1 + random.below(4));
  return shape;
}

}  // namespace

Tensor odd_tensor(Random& random) {
  static const std::vector<DType> kTypes = {
      DType::kFloat32, DType::kFloat64,   DType::kFloat16,     DType::kBfloat16, DType::kInt8,
      DType::kUint8,   DType::kInt16,     DType::kUint16,      DType::kInt32,    DType::kUint32,
      DType::kInt64,   DType::kUint64,    DType::kBool,        DType::kInt4,     DType::kUint4,
      DType::kString,  DType::kComplex64, DType::kFloat8E4M3FN};
  const DType dtype = random.pick(kTypes);
  std::vector<int64_t> shape = small_shape(random);
  if (random.one_in(8)) shape.push_back(0);
  const int64_t count = *Shape::of(shape).element_count();
  if (dtype == DType::kString) {
    std::vector<std::string> strings;
    for (int64_t i = 0; i < count; ++i) strings.push_back(odd_bytes(random));
    return must(Tensor::of_strings(shape, std::move(strings)));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(*numerics::storage_bytes(dtype, count)));
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(dtype == DType::kBool ? random.below(2) : random.below(256));
  }
  return must(Tensor::from_bytes(dtype, shape, std::move(bytes)));
}

Tensor random_floats(Random& random, std::vector<int64_t> shape, float low, float high) {
  std::vector<float> values(static_cast<size_t>(*Shape::of(shape).element_count()));
  for (float& value : values) value = random.between(low, high);
  return Tensor::of<float>(std::move(shape), values);
}

ir::Attribute odd_attribute(Random& random) {
  const int64_t count = random.below(4);
  switch (random.below(9)) {
    case 0:
      return static_cast<int64_t>(random.bits());
    case 1:
      return odd_float(random);
    case 2:
      return odd_bytes(random);
    case 3:
      return TensorPtr(std::make_shared<const Tensor>(odd_tensor(random)));
    case 4: {
      std::vector<int64_t> ints;
      for (int64_t i = 0; i < count; ++i) ints.push_back(static_cast<int64_t>(random.bits()));
      return ints;
    }
    case 5: {
      std::vector<float> list;
      for (int64_t i = 0; i < count; ++i) list.push_back(odd_float(random));
      return list;
    }
    case 6: {
      std::vector<std::string> strings;
      for (int64_t i = 0; i < count; ++i) strings.push_back(odd_bytes(random));
      return strings;
    }
    default:
      return ir::OpaqueAttribute{static_cast<int32_t>(random.below(15)), odd_bytes(random)};
  }
}

}  // namespace octet::testing
