// Every operator against operands it was not made for: any type, rank, number, value and attribute.
// What holds: no crash (the sanitizers look on), no output beyond the budget, and where both
// inference and evaluation succeed, they agree.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/op_runner.h"

namespace octet::ops {
namespace {

using ir::DType;
using ir::Tensor;
using octet::testing::evaluate_op;
using octet::testing::infer_op;
using octet::testing::OpCase;
using octet::testing::Operand;

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  int64_t roll(int64_t below) {
    return static_cast<int64_t>(engine_() % static_cast<uint64_t>(below));
  }
  template <typename T>
  T one_of(const std::vector<T>& list) {
    return list[static_cast<size_t>(roll(static_cast<int64_t>(list.size())))];
  }

 private:
  std::mt19937_64 engine_;
};

// Numbers that break arithmetic, beside ordinary ones.
int64_t any_integer(Dice& dice) {
  if (dice.roll(8) == 0) {
    return dice.one_of<int64_t>({INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, int64_t{1} << 40, -1});
  }
  return dice.roll(9) - 3;
}

double any_float(Dice& dice) {
  if (dice.roll(8) == 0) {
    return dice.one_of<double>({1e300, -1e300, 1e-310, INFINITY, -INFINITY, NAN, -0.0});
  }
  return static_cast<double>(dice.roll(65) - 32) / 8.0;
}

Tensor any_tensor(Dice& dice, DType dtype) {
  std::vector<int64_t> shape;
  for (int64_t rank = dice.roll(6); rank > 0; --rank) {
    shape.push_back(dice.roll(10) == 0 ? 0 : dice.one_of<int64_t>({1, 1, 2, 3, 4}));
  }
  if (dtype == DType::kString) {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    return *Tensor::of_strings(shape, std::vector<std::string>(static_cast<size_t>(count), "s"));
  }
  Tensor out = *Tensor::zeros(dtype, shape);
  for (int64_t i = 0; i < out.element_count(); ++i) {
    if (numerics::is_floating_point(dtype)) {
      out.set_from_double(i, any_float(dice));
    } else {
      out.set_from_int64(i, any_integer(dice));
    }
  }
  return out;
}

// Types as an operator expects them, most of the time.
DType any_dtype(Dice& dice, Role role) {
  if (dice.roll(6) == 0) {
    return dice.one_of<DType>(
        {DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt8, DType::kUint8,
         DType::kInt16, DType::kInt32, DType::kInt64, DType::kUint64, DType::kBool, DType::kString,
         DType::kInt4, DType::kUint4, DType::kFloat8E4M3FN, DType::kFloat4E2M1, DType::kComplex64});
  }
  if (role == Role::kShape || role == Role::kIndex) {
    return dice.one_of<DType>({DType::kInt64, DType::kInt64, DType::kInt32, DType::kBool});
  }
  return dice.one_of<DType>({DType::kFloat32, DType::kFloat32, DType::kFloat32, DType::kUint8,
                             DType::kInt8, DType::kInt32, DType::kInt64});
}

ir::AttributeMap any_attributes(Dice& dice) {
  ir::AttributeMap out;
  for (const char* name : {"axis",
                           "keepdims",
                           "to",
                           "group",
                           "block_size",
                           "output_dtype",
                           "saturate",
                           "batch_dims",
                           "blocksize",
                           "ceil_mode",
                           "exclusive",
                           "reverse",
                           "largest",
                           "sorted",
                           "allowzero",
                           "fmod",
                           "num_outputs",
                           "start",
                           "end",
                           "size",
                           "k",
                           "upper",
                           "transA",
                           "transB",
                           "storage_order",
                           "count_include_pad",
                           "select_last_index",
                           "noop_with_empty_axes",
                           "num_groups",
                           "p",
                           "stash_type",
                           "training_mode",
                           "antialias",
                           "exclude_outside",
                           "precision",
                           "hidden_size",
                           "layout",
                           "input_forget",
                           "linear_before_reset",
                           "q_num_heads",
                           "kv_num_heads",
                           "num_heads",
                           "is_causal",
                           "qk_matmul_output_mode",
                           "rotary_embedding_dim",
                           "interleaved",
                           "ignore_index",
                           "center_point_box",
                           "output_height",
                           "output_width",
                           "sampling_ratio",
                           "offset_group",
                           "align_corners",
                           "onesided",
                           "inverse",
                           "periodic",
                           "output_datatype",
                           "dtype",
                           "sample_size",
                           "min_gram_length",
                           "max_gram_length",
                           "max_skip_count",
                           "num_scan_inputs"}) {
    if (dice.roll(5) == 0) out[name] = any_integer(dice);
  }
  for (const char* name :
       {"axes", "perm", "pads", "strides", "dilations", "kernel_shape", "split", "starts", "ends",
        "steps", "repeats", "output_padding", "output_shape", "shape", "value_ints", "pooled_shape",
        "ngram_counts", "ngram_indexes", "pool_int64s"}) {
    if (dice.roll(5) != 0) continue;
    std::vector<int64_t> list;
    for (int64_t n = dice.roll(5); n > 0; --n) list.push_back(any_integer(dice));
    out[name] = list;
  }
  for (const char* name : {"alpha", "beta", "epsilon", "lambd", "bias", "min", "max", "value",
                           "extrapolation_value", "cubic_coeff_a", "scale", "softcap", "clip",
                           "spatial_scale", "seed", "low", "high", "mean"}) {
    if (dice.roll(6) == 0) out[name] = static_cast<float>(any_float(dice));
  }
  const std::vector<std::pair<const char*, std::vector<std::string>>> texts = {
      {"mode",
       {"constant", "reflect", "edge", "wrap", "linear", "cubic", "nearest", "DCR", "CRD", "avg",
        "max", "circular", "TF", "IDF"}},
      {"auto_pad", {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "?"}},
      {"direction", {"LEFT", "RIGHT", "?", "reverse", "bidirectional"}},
      {"update_rule", {"linear", "gated", "delta"}},
      {"activation", {"silu", "none"}},
      {"reduction", {"add", "mul", "max", "none", "sum"}},
      {"coordinate_transformation_mode",
       {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "tf_crop_and_resize",
        "output_half_pixel"}},
      {"equation", {"ij,jk->ik", "ii->i", "...ij->...ji", "ij,", "->", "i->ii", "a...,b->"}}};
  for (const auto& [name, choices] : texts) {
    if (dice.roll(4) == 0) out[name] = dice.one_of(choices);
  }
  return out;
}

OpCase any_case(const OpSchema& schema, Dice& dice) {
  OpCase c;
  c.op_type = schema.name;
  c.opset = schema.since + dice.roll(schema.until - schema.since + 1);
  c.attributes = any_attributes(dice);
  c.outputs = static_cast<size_t>(1 + dice.roll(3));
  const size_t most = std::min<size_t>(schema.max_inputs, schema.required + 3);
  const size_t count =
      schema.required +
      static_cast<size_t>(dice.roll(static_cast<int64_t>(most - schema.required + 1)));
  const DType common = any_dtype(dice, Role::kData);
  for (size_t i = 0; i < count; ++i) {
    if (i >= schema.required && dice.roll(4) == 0) {
      c.operands.emplace_back();
      continue;
    }
    const bool data = schema.role(i) == Role::kData && dice.roll(8) != 0;
    Operand operand(any_tensor(dice, data ? common : any_dtype(dice, schema.role(i))));
    operand.constant = dice.roll(2) == 0;
    c.operands.push_back(std::move(operand));
  }
  return c;
}

void expect_agreement(const OpCase& c, const std::vector<ir::ValueFacts>& facts,
                      const std::vector<Tensor>& outputs) {
  for (size_t i = 0; i < std::min(facts.size(), outputs.size()); ++i) {
    const ir::TensorType actual = outputs[i].type();
    if (actual.storage == DType::kUndefined) continue;  // not computed
    const ir::TensorType& inferred = facts[i].type;
    EXPECT_TRUE(ir::compatible(inferred.shape, actual.shape) &&
                (inferred.storage == DType::kUndefined || inferred.storage == actual.storage))
        << c.op_type << " at opset " << c.opset << ", output " << i << ": inferred "
        << inferred.to_string() << ", computed " << actual.to_string();
    if (!facts[i].elements || actual.shape.rank() > 1) continue;
    for (size_t k = 0; k < facts[i].elements->size(); ++k) {
      const ir::Dim& known = (*facts[i].elements)[k];
      if (!known.is_static()) continue;
      ASSERT_LT(static_cast<int64_t>(k), outputs[i].element_count()) << c.op_type;
      EXPECT_EQ(known.extent(), outputs[i].at_as_int64(static_cast<int64_t>(k))) << c.op_type;
    }
  }
}

TEST(EveryOperator, SurvivesAnyOperandsAndInfersWhatItComputes) {
  constexpr int kCases = 300;
  uint32_t seed = 1;
  for (const OpSchema& schema : all_schemas()) {
    SCOPED_TRACE(schema.name);
    for (int i = 0; i < kCases; ++i) {
      Dice dice(seed++);
      const OpCase c = any_case(schema, dice);
      const auto facts = infer_op(c);
      MemoryBudget budget(1 << 20);
      const auto outputs = evaluate_op(c, &budget);
      EXPECT_LE(budget.used(), budget.limit());
      EXPECT_GE(budget.used(), 0);
      if (facts.ok() && outputs.ok()) expect_agreement(c, *facts, *outputs);
    }
  }
}

}  // namespace
}  // namespace octet::ops
