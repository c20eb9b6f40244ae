// Shapes with extents that may be known, named or unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace octet::ir {

// One extent: a number, a name ("N": equal names are equal extents), or not known at all.
class Dim {
 public:
  Dim() = default;                                            // unknown
  Dim(int64_t extent) : extent_(extent < 0 ? -1 : extent) {}  // NOLINT: implicit by design
  static Dim named(std::string name) {
    Dim dim;
    dim.name_ = std::move(name);
    return dim;
  }

  bool is_static() const { return extent_ >= 0; }
  bool is_named() const { return !name_.empty(); }
  bool is_unknown() const { return !is_static() && !is_named(); }
  int64_t extent() const { return extent_; }  // -1 unless static
  const std::string& name() const { return name_; }

  bool operator==(const Dim&) const = default;

  std::string to_string() const;  // "224", "N", "?"

 private:
  int64_t extent_ = -1;
  std::string name_;
};

class Shape {
 public:
  Shape() = default;                     // unknown rank
  explicit Shape(std::vector<Dim> dims)  // known rank
      : has_rank_(true), dims_(std::move(dims)) {}
  static Shape of(const std::vector<int64_t>& extents);

  bool has_rank() const { return has_rank_; }
  size_t rank() const { return dims_.size(); }  // has_rank() only
  const std::vector<Dim>& dims() const { return dims_; }
  const Dim& operator[](size_t axis) const { return dims_[axis]; }

  bool is_static() const;
  // Extents of a static shape.
  std::vector<int64_t> extents() const;
  // Element count; nothing when the shape is not static or the product overflows.
  std::optional<int64_t> element_count() const;

  bool operator==(const Shape&) const = default;

  std::string to_string() const;  // "[1,N,?]", "[]", "[...]" for unknown rank

 private:
  bool has_rank_ = false;
  std::vector<Dim> dims_;
};

// True when no static extent contradicts another; unknown ranks and extents fit everything.
bool compatible(const Shape& a, const Shape& b);

// The more specific of two compatible shapes, axis by axis: static before named before unknown.
Shape merge(const Shape& a, const Shape& b);

}  // namespace octet::ir
