// The lockstep pass: layer by layer, weights are rounded by second order from what the layer reads
// in the partly quantized model, then its bias takes up what the mean of its output has shifted.
//
// For a layer with float weights W and float data of mean column m, quantized to z, s and data of
// mean column m~ (both over the same columns), the mean of its output moves by
// z s m~ - W m; the bias takes the negative. Weights and bias are judged apart, each on the columns
// kept apart (gram.h): second-order weights stay only where they lower the layer's output error, a
// correction only where it lowers the shift. What stays is then worked out again from all columns.
//
// With weights of less than 8 bits, or where asked for, the float model runs in lockstep beside,
// and its outputs are the target (cross_gram.h): of rounding to nearest, second order as above and
// second order towards the float output, a layer takes the one that errs least on the columns kept
// apart. What few bits lose is followed as far as the columns go. What 8 bits lose is little more
// than noise, and following all of it costs accuracy on other data: a ridge holds the weights, of a
// few the one whose weights do best on the columns kept apart, and none where none helps.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/accuracy/float_columns.h"
#include "compiler/accuracy/layers.h"
#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// What second order rounds towards.
enum class Target {
  kOwnOutput,    // what the float weights make of the quantized inputs; few bits as kFloatOutput
  kFloatOutput,  // what the float model computes
};

struct RefineOptions {
  Target target = Target::kOwnOutput;
  size_t threads = 1;
  int64_t max_memory = 0;
  std::function<void(size_t, size_t)> progress = nullptr;  // (layers done, all)
};

// What the rounding of a layer's weight and data changes at its own output, in dB.
struct LayerQuality {
  std::string node;
  double sqnr = 0.0;
};

struct RefineReport {
  size_t samples = 0;  // that took part
  size_t layers = 0;
  size_t rounded = 0;                      // by second order
  size_t targeted = 0;                     // of those, towards the float output (few bits)
  size_t corrected = 0;                    // biases
  std::vector<LayerQuality> quality = {};  // of the layers that could be judged
};

// The samples that take part: at most 128, evenly spaced over what there is, in an order of which
// every beginning is spread over all. As many from its start are used as fit the memory (a quarter
// of --max-memory, at most 256 MiB, for what is kept of them between layers).
std::vector<size_t> refinement_samples(size_t count);

// `graph` is float, and what `plan` was made for (no edits in the plan yet); `layers` are of it.
// Rewrites the plan's constants and puts new biases into its edits.
Result<RefineReport> refine(const std::shared_ptr<const ir::Graph>& graph,
                            const std::vector<Layer>& layers, const FloatColumns& columns,
                            const data::Dataset& dataset, const std::vector<size_t>& samples,
                            const plan::BackendSpec& spec, plan::QuantPlan& plan,
                            const RefineOptions& options);

}  // namespace octet::accuracy
