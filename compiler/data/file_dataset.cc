// Folders where a file, or a folder, is one sample with its batch axis.
#include <utility>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/data/fit.h"
#include "compiler/data/npz.h"
#include "compiler/data/sources.h"
#include "compiler/data/tensor_proto.h"

namespace octet::data {
namespace {

constexpr int64_t kLargestTensorFile = int64_t{2} << 30;

class NpzFolder : public Dataset {
 public:
  NpzFolder(std::vector<std::string> paths, std::vector<InputSpec> inputs)
      : paths_(std::move(paths)), inputs_(std::move(inputs)) {}

  size_t size() const override { return paths_.size(); }

  Status check(size_t index) const {
    const auto checked = [&]() -> Status {
      OCTET_ASSIGN(const auto headers, read_npz_headers(paths_[index]));
      OCTET_TRY(check_names(inputs_, headers));
      for (const InputSpec& input : inputs_) {
        OCTET_TRY(check_dtype(input, headers.at(input.name).dtype));
        OCTET_TRY(check_shape(input, headers.at(input.name).shape));
      }
      return {};
    };
    return checked().in(quote_name(paths_[index]));
  }

  Result<Sample> get(size_t index) const override {
    const auto read = [&]() -> Result<Sample> {
      OCTET_ASSIGN(const auto arrays, open_npz(paths_[index]));
      OCTET_TRY(check_names(inputs_, arrays));
      Sample sample;
      for (const InputSpec& input : inputs_) {
        const Array& array = arrays.at(input.name);
        OCTET_TRY(check_shape(input, array.shape()));
        OCTET_ASSIGN(ir::Tensor tensor, array.whole());
        OCTET_ASSIGN(tensor, fit_values(input, std::move(tensor)));
        sample.push_back(std::move(tensor));
      }
      return sample;
    };
    return read().in(cat(quote_name(paths_[index]), ": sample ", index));
  }

 private:
  std::vector<std::string> paths_;
  std::vector<InputSpec> inputs_;
};

class TestData : public Dataset {
 public:
  TestData(std::vector<std::string> folders, std::vector<InputSpec> inputs)
      : folders_(std::move(folders)), inputs_(std::move(inputs)) {}

  size_t size() const override { return folders_.size(); }

  Status check(size_t index) const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string file = path(index, i);
      const auto checked = [&]() -> Status {
        OCTET_ASSIGN(const std::string bytes, read_file(file, kLargestTensorFile));
        OCTET_ASSIGN(const TensorProtoHeader header, read_tensor_proto_header(bytes));
        OCTET_TRY(check_dtype(inputs_[i], header.dtype));
        return check_shape(inputs_[i], header.shape);
      };
      OCTET_TRY(checked().in(quote_name(file)));
    }
    OCTET_ASSIGN(const std::vector<std::string> names, list_files(folders_[index]));
    const std::string extra = cat("input_", inputs_.size(), ".pb");
    for (const std::string& name : names) {
      if (name != extra) continue;
      return bad_data(quote_name(folders_[index]), " has ", extra, ", but the model has ",
                      inputs_.size(), " inputs");
    }
    return {};
  }

  Result<Sample> get(size_t index) const override {
    Sample sample;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string file = path(index, i);
      const auto read = [&]() -> Result<ir::Tensor> {
        OCTET_ASSIGN(const std::string bytes, read_file(file, kLargestTensorFile));
        OCTET_ASSIGN(ir::Tensor tensor, read_tensor_proto(bytes));
        OCTET_TRY(check_shape(inputs_[i], tensor.shape()));
        return fit_values(inputs_[i], std::move(tensor));
      };
      OCTET_ASSIGN(ir::Tensor tensor, read().in(cat(quote_name(file), ": sample ", index)));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

 private:
  std::string path(size_t index, size_t input) const {
    return cat(folders_[index], "/input_", input, ".pb");
  }

  std::vector<std::string> folders_;
  std::vector<InputSpec> inputs_;
};

// Keeps as many as asked for and checks each.
template <typename T>
Result<DatasetPtr> make_checked(std::vector<std::string> paths,
                                const std::vector<InputSpec>& inputs, const OpenOptions& options) {
  OCTET_ASSIGN(const size_t size, sample_count(static_cast<int64_t>(paths.size()), options));
  paths.resize(size);
  auto dataset = std::make_unique<T>(std::move(paths), inputs);
  for (size_t i = 0; i < size; ++i) OCTET_TRY(dataset->check(i));
  return DatasetPtr(std::move(dataset));
}

}  // namespace

Result<DatasetPtr> open_npz_folder(const std::string& folder, std::vector<std::string> names,
                                   const std::vector<InputSpec>& inputs,
                                   const OpenOptions& options) {
  OCTET_TRY(refuse_preprocess(options, "a folder of .npz files"));
  for (std::string& name : names) name = cat(folder, "/", name);
  return make_checked<NpzFolder>(std::move(names), inputs, options);
}

Result<DatasetPtr> open_test_data(std::vector<std::string> folders,
                                  const std::vector<InputSpec>& inputs,
                                  const OpenOptions& options) {
  OCTET_TRY(refuse_preprocess(options, "ONNX test data"));
  return make_checked<TestData>(std::move(folders), inputs, options);
}

}  // namespace octet::data
