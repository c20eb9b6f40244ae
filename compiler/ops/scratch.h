// Memory that an evaluation needs beside its outputs, charged to the budget while it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "compiler/base/budget.h"
#include "compiler/base/checked.h"
#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"
#include "compiler/ops/schema.h"

namespace octet::ops {

// Gives back at its end what temporaries were charged.
class ChargedBytes {
 public:
  explicit ChargedBytes(MemoryBudget* budget) : budget_(budget) {}
  ~ChargedBytes() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }
  ChargedBytes(const ChargedBytes&) = delete;
  ChargedBytes& operator=(const ChargedBytes&) = delete;
  ChargedBytes(ChargedBytes&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  ChargedBytes& operator=(ChargedBytes&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  Status charge(int64_t bytes) {
    if (budget_ != nullptr) OCTET_TRY(budget_->charge(bytes));
    bytes_ += bytes;
    return {};
  }
  // Takes over the charge of a tensor made by EvaluateContext::allocate.
  void adopt(const ir::Tensor& tensor) { bytes_ += static_cast<int64_t>(tensor.bytes().size()); }

 private:
  MemoryBudget* budget_;
  int64_t bytes_ = 0;
};

// Zero-filled elements.
template <typename T>
class Scratch {
 public:
  static Result<Scratch> make(const EvaluateContext& context, int64_t count) {
    const auto bytes = checked_mul(count, static_cast<int64_t>(sizeof(T)));
    if (count < 0 || !bytes) return resource_limit("scratch memory of ", count, " elements");
    ChargedBytes charged(context.budget);
    OCTET_TRY(charged.charge(*bytes));
    std::unique_ptr<T[]> elements(new (std::nothrow) T[static_cast<size_t>(count)]());
    if (elements == nullptr) return resource_limit("out of memory for ", *bytes, " bytes");
    return Scratch(std::move(charged), std::move(elements), static_cast<size_t>(count));
  }

  std::span<T> span() { return {elements_.get(), count_}; }
  std::span<const T> elements() const { return {elements_.get(), count_}; }
  T& operator[](size_t i) { return elements_[i]; }

 private:
  Scratch(ChargedBytes charged, std::unique_ptr<T[]> elements, size_t count)
      : charged_(std::move(charged)), elements_(std::move(elements)), count_(count) {}

  ChargedBytes charged_;
  std::unique_ptr<T[]> elements_;
  size_t count_;
};

}  // namespace octet::ops
