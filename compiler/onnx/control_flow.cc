#include "compiler/onnx/control_flow.h"

#include "compiler/base/names.h"

namespace octet::onnx {
namespace {

const ::onnx::AttributeProto* find(const ::onnx::NodeProto& node, std::string_view name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

Result<const ::onnx::GraphProto*> body_of(const ::onnx::NodeProto& node, std::string_view name) {
  const auto* attribute = find(node, name);
  if (attribute == nullptr || !attribute->has_g()) {
    return malformed("attribute ", quote_name(name), " (a graph) is missing");
  }
  return &attribute->g();
}

Status check_count(std::string_view what, int found, int64_t expected) {
  if (found == expected) return {};
  return malformed(what, ": ", found, " found, ", expected, " expected");
}

Status check_if(const ::onnx::NodeProto& node) {
  for (const char* name : {"then_branch", "else_branch"}) {
    OCTET_ASSIGN(const auto* body, body_of(node, name));
    OCTET_TRY(check_count(cat("inputs of ", name), body->input_size(), 0));
    OCTET_TRY(check_count(cat("outputs of ", name), body->output_size(), node.output_size()));
  }
  return {};
}

Status check_loop(const ::onnx::NodeProto& node) {
  OCTET_ASSIGN(const auto* body, body_of(node, "body"));
  if (node.input_size() < 2) return malformed(node.input_size(), " inputs, at least 2 expected");
  const int64_t carried = node.input_size() - 2;
  OCTET_TRY(check_count("inputs of the body", body->input_size(), carried + 2));
  if (body->output_size() < carried + 1) {
    return malformed("outputs of the body: ", body->output_size(), " found, at least ", carried + 1,
                     " expected");
  }
  if (node.output_size() > body->output_size() - 1) {
    return malformed(node.output_size(), " outputs, the body gives ", body->output_size() - 1);
  }
  return {};
}

Status check_scan(const ::onnx::NodeProto& node) {
  OCTET_ASSIGN(const auto* body, body_of(node, "body"));
  const auto* count = find(node, "num_scan_inputs");
  if (count == nullptr || !count->has_i()) {
    return malformed("attribute \"num_scan_inputs\" is missing");
  }
  if (count->i() < 1 || count->i() > node.input_size()) {
    return malformed("num_scan_inputs is ", count->i(), " of ", node.input_size(), " inputs");
  }
  OCTET_TRY(check_count("inputs of the body", body->input_size(), node.input_size()));
  const int64_t states = node.input_size() - count->i();
  if (body->output_size() < states || node.output_size() > body->output_size()) {
    return malformed(node.output_size(), " outputs and ", states, " states, the body gives ",
                     body->output_size());
  }
  return {};
}

}  // namespace

Status check_control_flow(const ::onnx::NodeProto& node, int64_t opset) {
  if (!canonical_domain(node.domain()).empty()) return {};
  if (node.op_type() == "If") return check_if(node);
  if (node.op_type() == "Loop") return check_loop(node);
  if (node.op_type() == "Scan" && opset >= 9) return check_scan(node);
  return {};
}

}  // namespace octet::onnx
