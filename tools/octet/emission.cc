#include "tools/octet/emission.h"

#include "compiler/base/files.h"
#include "compiler/onnx/export.h"
#include "compiler/onnx/import.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/effective_formats.h"
#include "passes/lift_opset.h"
#include "tools/octet/version.h"

namespace octet::tools {

namespace {

// Operators in the form of the version that the file states: formats and descriptions may ask for a
// newer one than canonical graphs have.
Status lift_to(int64_t opset, ir::Graph& graph) {
  constexpr int64_t kCanonical = 17;
  if (graph.model.opset() < kCanonical || graph.model.opset() >= opset) return {};
  passes::PassContext context;
  OCTET_ASSIGN(const passes::PassReport report, passes::lift_opset(graph, {opset}, context));
  if (report.changed || report.left_alone.empty()) return {};
  return unsupported("the target's format needs operator set ", opset, ": ",
                     report.left_alone.front());
}

}  // namespace

Result<ir::Graph> apply_and_emit(ir::Graph canonical, const plan::QuantPlan& plan,
                                 const plan::BackendSpec& spec, backends::PlanFrom from) {
  OCTET_TRY(plan::apply_plan(canonical, plan));
  canonical.model.producer_name = "octet";
  canonical.model.producer_version = kVersion;
  const std::string formats = plan::effective_formats(plan);
  if (!formats.empty()) canonical.model.metadata.emplace_back("octet.formats", formats);
  if (plan.data_free) canonical.model.metadata.emplace_back("octet.data_free", "true");
  plan::BackendSpec target = spec;
  target.opset = plan::needed_opset(spec, plan);
  OCTET_TRY(lift_to(target.opset, canonical));
  OCTET_TRY(backends::emit(canonical, target, from));
  return canonical;
}

Status write_checked(const ir::Graph& graph, const std::string& path) {
  const auto bytes = onnx::export_model(graph);
  if (!bytes.ok()) {
    // Too large for one message: written with a data file beside, which has no single image to
    // read back first.
    if (bytes.error().code() == ErrorCode::kResourceLimit) return onnx::write_model(graph, path);
    return bytes.error();
  }
  const auto again = onnx::import_bytes(*bytes, "");
  if (!again.ok())
    return internal_error("the written model reads back as: ", again.error().message());
  if (!(*again == graph)) {
    return internal_error("the written model reads back as another graph; nothing was written");
  }
  return write_file_atomic(path, *bytes);
}

}  // namespace octet::tools
