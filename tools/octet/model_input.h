// Models and data as the verbs take them from the command line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/data/dataset.h"
#include "compiler/ir/graph.h"
#include "tools/octet/invocation.h"

namespace octet::tools {

// The model as it is in the file; errors begin with the path.
Result<ir::Graph> load_model(const std::string& path);

// The canonical form, which statistics and plans speak of. Notes of the passes go to the log.
struct CanonicalOptions {
  std::vector<std::string> disabled = {};  // passes and rules
  // NaN and infinity in weights, biases and per-channel parameters: kMalformed, naming the node.
  // They may hide behind a Clip or a Relu, so that no activation shows them.
  enum class NonFiniteWeights { kRefused, kAllowed } weights = NonFiniteWeights::kRefused;
  // Models with QuantizeLinear and the like: kUnsupported, naming the first such node.
  enum class QuantizedModels { kRefused, kAllowed } quantized = QuantizedModels::kAllowed;
};
Result<ir::Graph> load_canonical(const std::string& path, const CanonicalOptions& options = {});

// Operators that only a model that is quantized already has.
bool is_quantization(const ir::Node& node);
// The first node of `graph` that says that its model is quantized already, if there is one.
std::optional<ir::NodeId> quantized_node(const ir::Graph& graph);

// As load_canonical, for what is about to be quantized: kUnsupported when it is already.
Result<ir::Graph> load_float(const std::string& path);

struct DataOptions {
  std::string path;
  std::string preprocess;
  std::optional<size_t> samples = std::nullopt;
};

// What quantize and plan take as --data where there is none.
inline constexpr std::string_view kNoData = "none";

// Declares --data, --preprocess and --samples.
void add_data_options(CLI::App& verb, DataOptions& options);

// Samples for the inputs of `graph`.
Result<std::unique_ptr<data::Dataset>> open_data(const DataOptions& options,
                                                 const ir::Graph& graph);

// kUsage when `output` is the same file as one of `inputs`, or a folder; kIo when its folder does
// not exist, which is better said before the work than after it.
Status check_output_path(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace octet::tools
