#include "patterns/choices.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace octet::patterns {
namespace {

using ir::DType;
using Integers = std::vector<int64_t>;

ir::Tensor int64s(const Integers& values) {
  return ir::Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

Integers random_axes(Random& random, size_t rank_or_zero) {
  const auto rank = static_cast<int64_t>(rank_or_zero);
  switch (random.below(6)) {
    case 0:
      return {-1};
    case 1:
      return {std::max<int64_t>(rank - 1, 0)};
    case 2: {
      Integers spatial;
      for (int64_t axis = 2; axis < rank; ++axis) spatial.push_back(axis);
      return spatial;
    }
    case 3:
      return {0};
    default:
      return {random.between(-rank - 1, rank)};
  }
}

Integers random_permutation(Random& random, size_t rank) {
  Integers perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  if (random.chance(40)) return perm;
  if (rank >= 2 && random.chance(50)) {
    std::swap(perm[rank - 1], perm[rank - 2]);
    return perm;
  }
  for (size_t i = rank; i > 1; --i) {
    std::swap(perm[i - 1], perm[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  }
  return perm;
}

Integers target_shape(Random& random, const ir::Tensor& data) {
  Integers shape = data.shape();
  switch (random.below(6)) {
    case 0:
    case 1:
      break;
    case 2:
      return {-1};
    case 3:
      if (!shape.empty()) shape.back() = -1;
      break;
    case 4:
      if (shape.size() >= 2) {
        shape[1] *= shape[0];
        shape.erase(shape.begin());
      }
      break;
    default:
      shape.insert(shape.begin() + random.between(0, static_cast<int64_t>(shape.size())), 1);
      break;
  }
  if (!shape.empty() && random.chance(15)) shape[0] = 0;  // copies the extent
  return shape;
}

Integers mostly(Random& random, size_t count, int64_t usual, int64_t low, int64_t high) {
  Integers out(count, usual);
  if (random.chance(50)) return out;
  for (int64_t& value : out) {
    if (random.chance(40)) value = random.between(low, high);
  }
  return out;
}

Integers slice_ends(Random& random, const ir::Tensor& data) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  if (random.chance(50)) return Integers(1, most);
  return {data.rank() > 0 && random.chance(60) ? data.shape()[0] : random.between(-3, 5)};
}

Integers first_axes(size_t count) {
  Integers out(count);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

ir::Tensor scalar_of(Random& random, DType dtype) { return random_tensor(random, dtype, {}); }

bool is_reduction(std::string_view op_type) { return op_type.starts_with("Reduce"); }

}  // namespace

uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double Random::uniform() { return static_cast<double>(next() >> 11) / 9007199254740992.0; }

DType random_dtype(Random& random) {
  if (random.chance(75)) return DType::kFloat32;
  static const std::vector<DType> others = {DType::kFloat64, DType::kInt32, DType::kInt64,
                                            DType::kBool,    DType::kInt8,  DType::kUint8};
  return random.of(others);
}

std::vector<int64_t> random_shape(Random& random) {
  Integers shape(
      static_cast<size_t>(random.chance(60) ? random.between(3, 4) : random.between(0, 5)));
  for (int64_t& extent : shape) extent = random.between(1, 4);
  return shape;
}

std::vector<int64_t> broadcast_variant(Random& random, const Integers& shape) {
  switch (random.below(8)) {
    case 0:
      return {};
    case 1:
      return {1};
    case 2:
    case 3:
      if (!shape.empty()) return {shape.back()};
      return {};
    case 4: {
      Integers ones(shape.size(), 1);
      if (!ones.empty()) ones.back() = shape.back();
      return ones;
    }
    case 5: {
      Integers some = shape;
      for (int64_t& extent : some) {
        if (random.chance(40)) extent = 1;
      }
      return some;
    }
    case 6: {
      Integers larger = shape;
      larger.insert(larger.begin(), random.between(1, 2));
      return larger;
    }
    default:
      return shape;
  }
}

ir::Tensor random_tensor(Random& random, DType dtype, const Integers& shape) {
  static const std::vector<double> special_values = {0.0,  1.0, -1.0, 0.5,  3.0,
                                                     -3.0, 6.0, 2.0,  1e-5, 40.0};
  ir::Tensor out = ir::Tensor::zeros(dtype, shape).value();
  const bool special = random.chance(30);
  for (int64_t i = 0; i < out.element_count(); ++i) {
    double value = (random.uniform() + random.uniform() + random.uniform() - 1.5) * 4.0;
    if (special || random.chance(10)) value = random.of(special_values);
    if (dtype == DType::kUint8) value = std::max(value, 0.0);
    out.set_from_double(i, value);
  }
  return out;
}

ir::TensorType loosened(Random& random, DType dtype, const Integers& shape) {
  const int64_t kind = random.below(10);
  if (kind == 0) return {dtype, ir::Shape()};
  std::vector<ir::Dim> dims(shape.begin(), shape.end());
  if (kind <= 2 && !dims.empty()) {
    dims[static_cast<size_t>(random.below(static_cast<int64_t>(dims.size())))] = ir::Dim();
  } else if (kind <= 4) {
    // Equal names stand for equal extents.
    for (ir::Dim& dim : dims) dim = ir::Dim::named(cat("extent_", dim.extent()));
  }
  return {dtype, ir::Shape(std::move(dims))};
}

std::optional<ir::Tensor> special_operand(Random& random, std::string_view op, size_t index,
                                          const ir::Tensor& data) {
  const size_t rank = data.rank();
  if (op == "Reshape") return int64s(target_shape(random, data));
  if (op == "Expand") {
    return int64s(random.chance(60) ? data.shape() : broadcast_variant(random, data.shape()));
  }
  if (op == "Squeeze" || op == "Unsqueeze" || is_reduction(op)) {
    return int64s(random_axes(random, rank));
  }
  if (op == "Slice") {
    if (index == 1) return int64s(mostly(random, 1, 0, -2, 2));
    if (index == 2) return int64s(slice_ends(random, data));
    if (index == 3) return int64s({random.between(-1, static_cast<int64_t>(rank) - 1)});
    return int64s({random.chance(60) ? 1 : random.of(Integers{2, -1})});
  }
  if (op == "Pad") {
    if (index == 1) return int64s(mostly(random, 2 * rank, 0, -1, 2));
    if (index == 2) return scalar_of(random, data.dtype());
    return int64s(first_axes(rank));
  }
  if (op == "Tile") return int64s(mostly(random, rank, 1, 1, 2));
  if (op == "Split") return int64s({rank > 0 ? data.shape()[0] : 1});
  if (op == "Clip") return scalar_of(random, data.dtype());
  if (op == "Dropout") {
    if (index == 1) return ir::Tensor::scalar(0.5F);
    return ir::Tensor::of<bool>({}, {random.chance(40)});
  }
  return std::nullopt;
}

ir::Attribute random_attribute(Random& random, std::string_view name, const ir::Tensor& data) {
  const auto rank = static_cast<int64_t>(data.rank());
  if (name == "perm") return random_permutation(random, data.rank());
  if (name == "axes") return random_axes(random, data.rank());
  if (name == "axis") return random.between(-rank, std::max<int64_t>(rank - 1, 0));
  if (name == "pads") return mostly(random, 2 * data.rank(), 0, 0, 2);
  if (name == "starts") return mostly(random, 1, 0, -2, 2);
  if (name == "ends") return slice_ends(random, data);
  if (name == "num_outputs") return int64_t{1};
  if (name == "mode") return std::string("constant");
  if (name == "to") {
    static const std::vector<DType> types = {DType::kFloat32, DType::kFloat64, DType::kInt32,
                                             DType::kInt64,   DType::kFloat16, DType::kBool};
    const DType to = random.chance(40) ? data.dtype() : random.of(types);
    return static_cast<int64_t>(to);
  }
  if (name == "alpha" || name == "beta" || name == "ratio" || name == "value") {
    return static_cast<float>(random.uniform());
  }
  return random.between(0, 1);
}

std::vector<std::string_view> other_attributes(std::string_view op, int64_t opset) {
  if (op == "Flatten") return {"axis"};
  if (op == "HardSigmoid") return {"alpha", "beta"};
  if (op == "Reshape" && opset >= 14) return {"allowzero"};
  if ((op == "Squeeze" || op == "Unsqueeze") && opset < 13) return {"axes"};
  if (op == "Slice" && opset < 10) return {"starts", "ends"};
  if (op == "Split") {
    if (opset >= 18) return {"axis", "num_outputs"};
    return {"axis"};
  }
  return {};
}

}  // namespace octet::patterns
