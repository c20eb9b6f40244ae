// Bodies of If, Loop and Scan: inference through them, and evaluation node by node.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {

// How often the bodies below one node of the main graph may run, all together: what ends a Loop
// without end.
inline constexpr int64_t kMaxBodyRuns = int64_t{1} << 17;

// Another way to run bodies than node by node.
class BodyRunner {
 public:
  virtual ~BodyRunner() = default;
  // One tensor per input and per capture of the body; the outputs, or nothing when this is no body
  // for the runner. Safe to call from several threads at once.
  virtual Result<std::optional<Tensors>> run(const ir::GraphPtr& body,
                                             std::span<const Tensor> inputs,
                                             std::span<const Tensor* const> captured) const = 0;
};

// The graph attribute and where its captures start among node.implicit_inputs.
struct BodyGraph {
  ir::GraphPtr graph;
  size_t first_capture = 0;

  // Null when the node has no such graph, or other captures than its bodies ask for.
  static BodyGraph of(const ir::Node& node, std::string_view attribute);
};

// What inference tells of the body's outputs, for inputs of these types. Only what follows from the
// operators counts, not what the file declares. Unknown facts where the body's inference fails: it
// may be one that never runs.
Facts infer_body(const InferContext& context, const BodyGraph& body,
                 std::span<const ir::TensorType> inputs);
// The same for tensors at hand.
Facts infer_body(const EvaluateContext& context, const BodyGraph& body,
                 std::span<const ir::TensorType> inputs);

// What holds for both: the common element type, extents that are the same. Unknown where the
// element types differ.
ir::TensorType join_types(const ir::TensorType& a, const ir::TensorType& b);

// A body made ready to run many times.
class Body {
 public:
  // kMalformed when the attribute is missing or takes another number of inputs.
  static Result<Body> of(const EvaluateContext& context, std::string_view attribute,
                         size_t input_count, size_t min_outputs);

  const BodyGraph& graph() const { return body_; }
  size_t output_count() const { return body_.graph->outputs().size(); }

  // The outputs; their bytes are charged to `charged`, everything else is given back.
  // kResourceLimit when bodies have run too often. Errors name the node inside.
  Result<Tensors> run(std::span<const Tensor> inputs, ChargedBytes& charged);

 private:
  Body(const EvaluateContext& context, BodyGraph body)
      : context_(context), body_(std::move(body)) {}
  Status count_run();
  Result<std::optional<Tensors>> run_as_whole(std::span<const Tensor> inputs,
                                              ChargedBytes& charged) const;

  const EvaluateContext& context_;
  BodyGraph body_;
  std::vector<int64_t> uses_;  // by value: of operands, and one for an output
  int64_t own_runs_ = kMaxBodyRuns;
};

}  // namespace octet::ops
