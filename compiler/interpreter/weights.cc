#include "compiler/interpreter/weights.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/interpreter/kernel.h"

namespace octet::interpreter {
namespace {

constexpr int64_t kAlignment = 64;

}  // namespace

Result<ChargedMemoryPtr> ChargedMemory::make(MemoryBudget& budget, int64_t bytes) {
  const auto padded = checked_add(std::max<int64_t>(bytes, 1), kAlignment - 1);
  if (bytes < 0 || !padded) return resource_limit("cannot hold ", bytes, " bytes in memory");
  const int64_t rounded = *padded / kAlignment * kAlignment;
  OCTET_TRY(budget.charge(rounded));
  void* data = std::aligned_alloc(kAlignment, static_cast<size_t>(rounded));
  if (data == nullptr) {
    budget.release(rounded);
    return resource_limit("out of memory for ", rounded, " bytes");
  }
  return ChargedMemoryPtr(new ChargedMemory(budget, static_cast<std::byte*>(data), rounded));
}

ChargedMemory::~ChargedMemory() {
  std::free(data_);
  budget_.release(bytes_);
}

Result<ChargedMemoryPtr> PackedWeights::shared(const Operand& operand, const std::string& purpose,
                                               int64_t bytes,
                                               const std::function<Status(std::byte*)>& fill) {
  const std::lock_guard lock(mutex_);
  const Key key(operand.id, purpose);
  if (operand.same_in_all_plans) {
    if (const auto at = packed_.find(key); at != packed_.end()) return at->second;
  }
  OCTET_ASSIGN(ChargedMemoryPtr memory, ChargedMemory::make(budget_, bytes));
  OCTET_TRY(fill(memory->data()));
  if (operand.same_in_all_plans) packed_[key] = memory;
  return memory;
}

size_t PackedWeights::number_of(const onednn::Desc& desc) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find(descs_.begin(), descs_.end(), desc);
  if (at != descs_.end()) return static_cast<size_t>(at - descs_.begin());
  descs_.push_back(desc);
  return descs_.size() - 1;
}

Result<ChargedMemoryPtr> PackedWeights::pack(const Operand& operand, const onednn::Desc& from,
                                             const onednn::Desc& to) {
  const std::string purpose = cat("pack ", number_of(from), " to ", number_of(to));
  const auto fill = [&](std::byte* out) -> Status {
    auto done = onednn::guarded([&] {
      // oneDNN reads through the pointer that it takes without const.
      auto* data = const_cast<std::byte*>(operand.constant->bytes().data());
      dnnl::memory source(from, engine_, data);
      dnnl::memory target(to, engine_, out);
      dnnl::stream stream(engine_);
      dnnl::reorder(source, target).execute(stream, source, target);
      stream.wait();
      return 0;
    });
    if (!done.ok()) return done.error();
    return {};
  };
  return shared(operand, purpose, static_cast<int64_t>(to.get_size()), fill);
}

Result<ChargedMemoryPtr> PackedWeights::derive(const Operand& operand, const std::string& purpose,
                                               int64_t count,
                                               const std::function<void(float*)>& fill) {
  const auto bytes = checked_mul(count, static_cast<int64_t>(sizeof(float)));
  if (!bytes) return resource_limit("cannot hold ", count, " numbers in memory");
  return shared(operand, purpose, *bytes, [&](std::byte* out) -> Status {
    fill(reinterpret_cast<float*>(out));
    return {};
  });
}

}  // namespace octet::interpreter
