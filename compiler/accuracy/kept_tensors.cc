#include "compiler/accuracy/kept_tensors.h"

#include <utility>

namespace octet::accuracy {
namespace {

constexpr int64_t kInMemory = int64_t{8} << 20;

}  // namespace

std::shared_ptr<SpillFile> KeptTensors::file() {
  const std::lock_guard lock(*mutex_);
  if (file_ == nullptr) {
    auto made = SpillFile::create();
    if (made.ok()) file_ = std::make_shared<SpillFile>(std::move(*made));
  }
  return file_;
}

void KeptTensors::put(size_t sample, ir::Tensor tensor) {
  Entry& entry = entries_[sample];
  entry = {};
  entry.bytes = static_cast<int64_t>(tensor.bytes().size());
  const bool fits = entry.bytes <= kInMemory / static_cast<int64_t>(sample + 1);
  const std::shared_ptr<SpillFile> to = fits ? nullptr : file();
  if (to != nullptr) {
    const auto offset = to->append(tensor.bytes());
    if (offset.ok()) {
      entry.dtype = tensor.dtype();
      entry.shape = tensor.shape();
      entry.offset = *offset;
      return;
    }
  }
  entry.tensor = std::move(tensor);
}

Result<ir::Tensor> KeptTensors::get(size_t sample) const {
  const Entry& entry = entries_[sample];
  if (!entry.offset) return entry.tensor;
  std::vector<std::byte> bytes(static_cast<size_t>(entry.bytes));
  OCTET_TRY(file_->read_at(*entry.offset, bytes));
  return ir::Tensor::from_bytes(entry.dtype, entry.shape, std::move(bytes));
}

int64_t KeptTensors::bytes() const {
  int64_t out = 0;
  for (const Entry& entry : entries_) out += entry.bytes;
  return out;
}

}  // namespace octet::accuracy
