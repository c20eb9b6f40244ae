// The kinds of data that open_dataset tells apart.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/base/result.h"
#include "compiler/data/dataset.h"

namespace octet::data {

using DatasetPtr = std::unique_ptr<Dataset>;

// A .npy file for a model with one input; pictures where `options` has a preprocess.
Result<DatasetPtr> open_npy_file(const std::string& path, const std::vector<InputSpec>& inputs,
                                 const OpenOptions& options);

Result<DatasetPtr> open_npz_file(const std::string& path, const std::vector<InputSpec>& inputs,
                                 const OpenOptions& options);

// `names`: the files of `folder` that count, in the order of the samples.
Result<DatasetPtr> open_npz_folder(const std::string& folder, std::vector<std::string> names,
                                   const std::vector<InputSpec>& inputs,
                                   const OpenOptions& options);
Result<DatasetPtr> open_picture_folder(const std::string& folder, std::vector<std::string> names,
                                       const std::vector<InputSpec>& inputs,
                                       const OpenOptions& options);

// `folders`: paths with input_0.pb, input_1.pb, ... in each.
Result<DatasetPtr> open_test_data(std::vector<std::string> folders,
                                  const std::vector<InputSpec>& inputs, const OpenOptions& options);

// `count` samples; the same for the same inputs on every machine.
Result<DatasetPtr> open_random(int64_t count, const std::vector<InputSpec>& inputs,
                               const OpenOptions& options);

// min(count, options.limit); kBadData when that is none.
Result<size_t> sample_count(int64_t count, const OpenOptions& options);

// kUsage when there is a preprocess: it is for pictures, and these are `what`.
Status refuse_preprocess(const OpenOptions& options, const std::string& what);

// kBadData unless the arrays are named exactly as the inputs.
template <typename T>
Status check_names(const std::vector<InputSpec>& inputs, const std::map<std::string, T>& arrays) {
  std::vector<std::string> wanted;
  for (const InputSpec& input : inputs) wanted.push_back(input.name);
  std::vector<std::string> found;
  for (const auto& [name, array] : arrays) found.push_back(name);
  for (const auto& [name, array] : arrays) {
    if (std::find(wanted.begin(), wanted.end(), name) != wanted.end()) continue;
    return bad_data("array ", quote_name(name), " is no input of the model",
                    name_hint(name, wanted));
  }
  for (const std::string& name : wanted) {
    if (arrays.count(name) != 0) continue;
    return bad_data("has no array for input ", quote_name(name));
  }
  return {};
}

}  // namespace octet::data
