// Constants in the layout that a kernel wants them in, made once and shared by all plans and runs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/interpreter/onednn_compat.h"
#include "compiler/ir/graph.h"

namespace octet::interpreter {

struct Operand;

// 64-byte aligned memory, charged to a budget while it lives.
class ChargedMemory {
 public:
  static Result<std::shared_ptr<ChargedMemory>> make(MemoryBudget& budget, int64_t bytes);
  ~ChargedMemory();
  ChargedMemory(const ChargedMemory&) = delete;
  ChargedMemory& operator=(const ChargedMemory&) = delete;

  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  int64_t bytes() const { return bytes_; }

 private:
  ChargedMemory(MemoryBudget& budget, std::byte* data, int64_t bytes)
      : budget_(budget), data_(data), bytes_(bytes) {}
  MemoryBudget& budget_;
  std::byte* data_;
  int64_t bytes_;
};

using ChargedMemoryPtr = std::shared_ptr<ChargedMemory>;

class PackedWeights {
 public:
  PackedWeights(MemoryBudget& budget, const dnnl::engine& engine)
      : budget_(budget), engine_(engine) {}

  // `from` describes the operand's constant as it lies; the result holds it as `to`.
  Result<ChargedMemoryPtr> pack(const Operand& operand, const onednn::Desc& from,
                                const onednn::Desc& to);

  // Memory of `count` floats that `fill` writes once; shared under (operand, purpose).
  Result<ChargedMemoryPtr> derive(const Operand& operand, const std::string& purpose, int64_t count,
                                  const std::function<void(float*)>& fill);

  MemoryBudget& budget() { return budget_; }

 private:
  using Key = std::pair<ir::ValueId, std::string>;
  Result<ChargedMemoryPtr> shared(const Operand& operand, const std::string& purpose, int64_t bytes,
                                  const std::function<Status(std::byte*)>& fill);
  // The same number for equal descriptors. Integer weights may carry sums behind their elements,
  // which kind of sums only oneDNN's own comparison tells.
  size_t number_of(const onednn::Desc& desc);

  MemoryBudget& budget_;
  const dnnl::engine& engine_;
  std::mutex mutex_;
  std::map<Key, ChargedMemoryPtr> packed_;
  std::vector<onednn::Desc> descs_;
};

}  // namespace octet::interpreter
