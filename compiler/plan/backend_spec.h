// What a target can run in integers and where it wants its quantizers. Plain data, read from
// backends/<name>/backend.textproto (backends/backend.proto documents the file) or from a vendor's
// file; the planner and the acceptance check interpret it, nothing else knows a target by name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/quant_params.h"
#include "compiler/numerics/affine.h"
#include "compiler/ops/schema.h"

namespace octet::plan {

using numerics::ScaleForm;

// A named way to store real numbers as integers.
struct Space {
  std::string name;
  numerics::DType dtype = numerics::DType::kInt8;
  numerics::Symmetry symmetry = numerics::Symmetry::kAsymmetric;
  ir::Granularity granularity = ir::Granularity::kPerTensor;
  int32_t qmin = -128;
  int32_t qmax = 127;
  // Name of the symmetric space for activations whose range is nearly symmetric; mostly empty.
  std::string nearly_symmetric = {};
  ScaleForm scales = ScaleForm::kAny;
  int64_t block_size = 0;  // of kBlocked: input channels that share a scale
};

// When a node runs in integers.
enum class Participation {
  kAlways,       // whenever its operands can be quantized: the operators integers are for
  kBetween,      // only where its operands are integers already and an integer operator reads it
  kMoves,        // as kBetween, and moves elements: input and output share their parameters
  kTransparent,  // as kMoves, and the target moves quantizers through it: it needs none of its own
};

// Whether a node in integers also has to hand out integers.
enum class OutputQuantizer {
  kRequired,  // the target fuses only with a quantizer behind it
  kOptional,  // it can hand out float
  kFloat,     // as kOptional, and what runs between integers does not start behind it
};

// A condition on a node for a rule to apply to it.
struct AttributeCondition {
  std::string attribute;
  std::vector<std::string> values;  // text of the allowed values; absent counts as `fallback`
  std::string fallback;
};

struct OpRule {
  std::string op_type;
  std::string domain;
  Participation participation = Participation::kAlways;
  OutputQuantizer output = OutputQuantizer::kOptional;
  std::string data_space;  // name of a space
  // The space of 16 bits that the data of single layers may have instead, where precision is raised
  // (Recipe::widened, an override of activations); empty where the target has none.
  std::string wide_data_space = {};
  std::string weight_space;  // empty when the op has no weight role
  // The space of weights that are to keep 8 bits where weight_space has fewer (formats.h); mostly
  // empty.
  std::string wide_weight_space = {};
  // An activation in the place of the weight: the space it takes; empty when the target (or good
  // sense) wants it in float.
  std::string dynamic_weight_space;
  std::string output_space;  // empty: the space of the data
  std::vector<AttributeCondition> conditions;
  int64_t min_rank = 0;  // of the first operand
  int64_t max_rank = 64;
  int64_t min_channels = 0;  // input and output channels of a linear operator, per group
};

enum class BiasForm {
  kInt32,  // int32 with scale x_scale * w_scale, through a DequantizeLinear
  kFloat,
};

enum class ResidualAdd {
  kAllOperands,   // every operand quantized
  kSkipOperands,  // the operand computed last stays bare, for a fused convolution + add
};

enum class JoinScales {
  kOwnScales,  // the target requantizes inside Concat
  kOneScale,   // all inputs and the output share their parameters
};

// Where the quantizers of a kMoves operator stand.
enum class MovePlacement {
  kBothSides,  // a pair in front and a pair behind, equal
  kAbove,      // in front only
};

struct BackendSpec {
  std::string name;
  std::string doc;
  int64_t opset = 17;     // of the written model, raised where the source model needs more
  int64_t own_opset = 0;  // before number formats raised it (formats.h); 0 where none did
  std::map<std::string, Space> spaces;
  std::vector<OpRule> ops;
  // Operators that fuse behind a linear or elementwise integer operator before requantizing.
  std::vector<std::string> fused_activations;
  BiasForm bias = BiasForm::kFloat;
  // A constant added behind MatMul is its bias.
  bool matmul_bias = false;
  ResidualAdd residual_add = ResidualAdd::kAllOperands;
  JoinScales join_scales = JoinScales::kOwnScales;
  MovePlacement move_placement = MovePlacement::kBothSides;
  // Softmax and Sigmoid outputs take the scale 1/256 instead of their range over qmax - qmin.
  bool unit_range_256 = false;
  std::string emitter;  // which emitter writes the file: a name in backends.def

  const OpRule* find_op(const ir::Node& node) const;
  const Space* find_space(const std::string& space) const;
};

}  // namespace octet::plan
