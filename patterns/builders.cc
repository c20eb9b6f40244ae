#include "patterns/builders.h"

#include <algorithm>
#include <array>
#include <memory>

namespace octet::patterns {
namespace {

using Built = std::optional<ir::Attribute>;

Built constant_of(ir::Tensor tensor) {
  return ir::Attribute(std::make_shared<const ir::Tensor>(std::move(tensor)));
}

// The only element of a constant that has one.
std::optional<double> only_element(const ArgumentContext& c, size_t i) {
  const ir::Tensor* tensor = c.constant(i);
  if (tensor == nullptr || tensor->element_count() != 1) return std::nullopt;
  return tensor->at_as_double(0);
}

Built as_float(const ArgumentContext& c) {
  const auto element = only_element(c, 0);
  if (!element) return std::nullopt;
  return ir::Attribute(static_cast<float>(*element));
}

Built scalar_like(const ir::Tensor& like, double value) {
  auto out = ir::Tensor::zeros(like.dtype(), {});
  if (!out.ok()) return std::nullopt;
  out->set_from_double(0, value);
  return constant_of(std::move(out).value());
}

Built clamp(const ArgumentContext& c) {
  const auto x = only_element(c, 0);
  const auto low = only_element(c, 1);
  const auto high = only_element(c, 2);
  // With an empty interval the outcome depends on which bound is looked at first.
  if (!x || !low || !high || !(*low <= *high)) return std::nullopt;
  return scalar_like(*c.constant(0), std::min(std::max(*x, *low), *high));
}

Built compose(const ArgumentContext& c) {
  const auto first = c.integers(0);
  const auto second = c.integers(1);
  if (!first || !second || first->size() != second->size()) return std::nullopt;
  std::vector<int64_t> out;
  for (int64_t axis : *second) {
    if (axis < 0 || axis >= static_cast<int64_t>(first->size())) return std::nullopt;
    out.push_back((*first)[static_cast<size_t>(axis)]);
  }
  return ir::Attribute(std::move(out));
}

Built scalar(const ArgumentContext& c) {
  if (!only_element(c, 0)) return std::nullopt;
  return constant_of(c.constant(0)->reshaped({}));
}

Built shape_of(const ArgumentContext& c) {
  const ir::Shape& shape = c.type(0).shape;
  if (!shape.has_rank()) return std::nullopt;
  std::vector<int64_t> out;
  for (const ir::Dim& dim : shape.dims()) {
    // Reshape reads 0 as "copy the extent", not as empty.
    if (dim.is_static() && dim.extent() == 0) return std::nullopt;
    out.push_back(dim.extent());
  }
  // One extent may be left for Reshape to work out.
  if (std::count(out.begin(), out.end(), -1) > 1) return std::nullopt;
  const auto rank = static_cast<int64_t>(out.size());
  return constant_of(ir::Tensor::of<int64_t>({rank}, out));
}

Built vector(const ArgumentContext& c) {
  const ir::Tensor* tensor = c.constant(0);
  if (tensor == nullptr) return std::nullopt;
  return constant_of(tensor->reshaped({tensor->element_count()}));
}

Built zero_like(const ArgumentContext& c) {
  if (c.constant(0) == nullptr) return std::nullopt;
  return scalar_like(*c.constant(0), 0.0);
}

constexpr auto kAttribute = Builder::Makes::kAttribute;
constexpr auto kConstant = Builder::Makes::kConstant;

constexpr std::array kBuilders = {
    Builder{"as_float", "v", "the only element of a constant", kAttribute, as_float},
    Builder{"clamp", "vvv", "the first constant's element, kept between the other two", kConstant,
            clamp},
    Builder{"compose", "ii", "the permutation that is the first, then the second", kAttribute,
            compose},
    Builder{"scalar", "v", "the only element of a constant, of rank 0", kConstant, scalar},
    Builder{"shape_of", "v", "a value's shape as Reshape takes it; one extent may be unknown",
            kConstant, shape_of},
    Builder{"vector", "v", "the elements of a constant, of rank 1", kConstant, vector},
    Builder{"zero_like", "v", "zero of rank 0, in the type of a constant", kConstant, zero_like},
};

}  // namespace

std::span<const Builder> all_builders() { return kBuilders; }

const Builder* find_builder(std::string_view name) {
  for (const Builder& builder : kBuilders) {
    if (builder.name == name) return &builder;
  }
  return nullptr;
}

}  // namespace octet::patterns
