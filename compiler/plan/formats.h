// Number formats that a person asks for in place of the backend's own: `--weights`,
// `--weight-granularity`, `--scales`, `--activations`, `--narrow-layers`, and the recipe fields of
// the same names. A format changes the description of the target (its spaces); everything behind
// reads the description and knows nothing of formats.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"

namespace octet::plan {

enum class WeightWidth { kAsBackend, kInt8, kInt4 };
enum class WeightGranularity { kAsBackend, kPerChannel, kPerTensor, kBlocked };
enum class ActivationWidth { kAsBackend, kInt8, kInt16 };
// Which layers get 4-bit weights: all but the first and the last of every path, or every one.
// kNamed: those alone that an override names.
enum class NarrowLayers { kInner, kAll, kNamed };

struct Formats {
  WeightWidth weights = WeightWidth::kAsBackend;
  WeightGranularity granularity = WeightGranularity::kAsBackend;
  int64_t block_size = 0;  // kBlocked only
  ScaleForm scales = ScaleForm::kAny;
  ActivationWidth activations = ActivationWidth::kAsBackend;
  NarrowLayers narrow_layers = NarrowLayers::kInner;

  bool operator==(const Formats&) const = default;
};

// Sets one of the fields by its name in recipes ("weights", "weight_granularity", "scales",
// "activations", "narrow_layers"). kUsage with the words it takes.
Status set_format(Formats& formats, std::string_view field, std::string_view word);

// What differs from the backend's own as "field=word field=word"; empty when nothing does.
std::string to_string(const Formats& formats);
Result<Formats> parse_formats(std::string_view text);

// "int4 weights per channel (first and last layers int8), power-of-two scales": for a summary.
// Empty when everything is the backend's own.
std::string describe(const Formats& formats);

// The description with these formats in it. A width of activations is then that of all: single
// layers are not raised to 16 bits any more. 4-bit and 16-bit integers and blocks raise its opset
// to
// 21. Blocked weights, and 16-bit activations, whose products leave int32 behind, have float
// biases. Per-tensor weights let a Min by a constant fuse, as equalization puts one behind a Clip.
BackendSpec with_formats(BackendSpec spec, const Formats& formats);

// The width of one layer's weights or of the activations it reads, where an override names it.
Result<WeightWidth> parse_weight_width(std::string_view word);
Result<ActivationWidth> parse_activation_width(std::string_view word);

}  // namespace octet::plan
