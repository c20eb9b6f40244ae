#include "compiler/onnx/model_info.h"

#include "compiler/base/names.h"
#include "compiler/onnx/import.h"

namespace octet::onnx {

Result<ir::OpsetImports> read_opsets(const OpsetList& imports) {
  ir::OpsetImports out;
  for (const auto& import : imports) {
    const std::string domain = canonical_domain(import.domain());
    const std::string shown = domain.empty() ? std::string("ai.onnx") : domain;
    if (import.version() < 1) {
      return malformed("opset import of ", quote_name(shown), ": version ", import.version());
    }
    if (domain.empty() && import.version() > kNewestOpset) {
      return unsupported("opset ", import.version(), " of ai.onnx; ", kNewestOpset,
                         " is the newest known");
    }
    const auto [at, added] = out.emplace(domain, import.version());
    if (!added && at->second != import.version()) {
      return malformed("opset import of ", quote_name(shown), " twice, with versions ", at->second,
                       " and ", import.version());
    }
  }
  return out;
}

namespace {

Status check_ir_version(const ::onnx::ModelProto& model) {
  if (!model.has_ir_version()) return malformed("no ir_version");
  if (model.ir_version() < 1) return malformed("ir_version ", model.ir_version());
  if (model.ir_version() > kNewestIrVersion) {
    return unsupported("ir_version ", model.ir_version(), "; ", kNewestIrVersion,
                       " is the newest known");
  }
  return {};
}

}  // namespace

Result<ir::ModelInfo> take_model_info(::onnx::ModelProto& model) {
  OCTET_TRY(check_ir_version(model));
  ir::ModelInfo info;
  info.ir_version = model.ir_version();
  OCTET_ASSIGN(info.opset_imports, read_opsets(model.opset_import()));
  if (info.opset_imports.empty()) {
    if (info.ir_version >= 3) return malformed("no opset_import");
    info.opset_imports[""] = 1;  // what a model without imports means before IR version 3
  }
  info.producer_name = model.producer_name();
  info.producer_version = model.producer_version();
  info.domain = model.domain();
  info.model_version = model.model_version();
  info.doc_string = model.doc_string();
  for (const auto& pair : model.metadata_props()) {
    info.metadata.emplace_back(pair.key(), pair.value());
  }
  model.clear_ir_version();
  model.clear_opset_import();
  model.clear_producer_name();
  model.clear_producer_version();
  model.clear_domain();
  model.clear_model_version();
  model.clear_doc_string();
  model.clear_metadata_props();
  return info;
}

void fill_model_info(const ir::ModelInfo& info, ::onnx::ModelProto& model) {
  model.ParsePartialFromString(info.preserved);
  model.set_ir_version(info.ir_version);
  for (const auto& [domain, version] : info.opset_imports) {
    auto& import = *model.add_opset_import();
    import.set_domain(domain);
    import.set_version(version);
  }
  if (!info.producer_name.empty()) model.set_producer_name(info.producer_name);
  if (!info.producer_version.empty()) model.set_producer_version(info.producer_version);
  if (!info.domain.empty()) model.set_domain(info.domain);
  if (info.model_version != 0) model.set_model_version(info.model_version);
  if (!info.doc_string.empty()) model.set_doc_string(info.doc_string);
  for (const auto& [key, value] : info.metadata) {
    auto& pair = *model.add_metadata_props();
    pair.set_key(key);
    pair.set_value(value);
  }
}

}  // namespace octet::onnx
