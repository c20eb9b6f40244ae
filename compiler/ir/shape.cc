#include "compiler/ir/shape.h"

#include "compiler/base/checked.h"

namespace octet::ir {

std::string Dim::to_string() const {
  if (is_static()) return std::to_string(extent_);
  return is_named() ? name_ : "?";
}

Shape Shape::of(const std::vector<int64_t>& extents) {
  return Shape(std::vector<Dim>(extents.begin(), extents.end()));
}

bool Shape::is_static() const {
  if (!has_rank_) return false;
  for (const Dim& dim : dims_) {
    if (!dim.is_static()) return false;
  }
  return true;
}

std::vector<int64_t> Shape::extents() const {
  std::vector<int64_t> out;
  out.reserve(dims_.size());
  for (const Dim& dim : dims_) out.push_back(dim.extent());
  return out;
}

std::optional<int64_t> Shape::element_count() const {
  if (!is_static()) return std::nullopt;
  return checked_product(extents());
}

std::string Shape::to_string() const {
  if (!has_rank_) return "[...]";
  std::string out = "[";
  for (size_t i = 0; i < dims_.size(); ++i) {
    if (i > 0) out += ",";
    out += dims_[i].to_string();
  }
  return out + "]";
}

bool compatible(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return true;
  if (a.rank() != b.rank()) return false;
  for (size_t i = 0; i < a.rank(); ++i) {
    if (a[i].is_static() && b[i].is_static() && a[i] != b[i]) return false;
  }
  return true;
}

Shape merge(const Shape& a, const Shape& b) {
  if (!a.has_rank()) return b;
  if (!b.has_rank()) return a;
  std::vector<Dim> dims = a.dims();
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool more_specific =
        (!dims[i].is_static() && b[i].is_static()) || (dims[i].is_unknown() && b[i].is_named());
    if (more_specific) dims[i] = b[i];
  }
  return Shape(std::move(dims));
}

}  // namespace octet::ir
