// One tensor per sample, between two waves. The first few megabytes stay in memory and the rest
// goes to a temporary file, so that memory does not grow with the number of samples.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/base/spill_file.h"
#include "compiler/ir/tensor.h"

namespace octet::accuracy {

class KeptTensors {
 public:
  KeptTensors() = default;
  explicit KeptTensors(size_t samples) : entries_(samples) {}

  size_t size() const { return entries_.size(); }
  // Safe from several threads for different samples. Where there is no room in the folder for
  // temporary files, tensors stay in memory.
  void put(size_t sample, ir::Tensor tensor);
  // Errors: kIo.
  Result<ir::Tensor> get(size_t sample) const;
  // In memory and file.
  int64_t bytes() const;

 private:
  struct Entry {
    ir::Tensor tensor;  // of no elements where it is in the file
    ir::DType dtype = ir::DType::kFloat32;
    std::vector<int64_t> shape;
    std::optional<int64_t> offset;
    int64_t bytes = 0;
  };
  std::shared_ptr<SpillFile> file();

  std::vector<Entry> entries_;
  std::shared_ptr<SpillFile> file_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
};

}  // namespace octet::accuracy
