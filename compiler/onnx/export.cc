#include "compiler/onnx/export.h"

#include <new>
#include <stdexcept>

#include "compiler/base/files.h"
#include "compiler/onnx/export_graph.h"
#include "compiler/onnx/export_tensor.h"
#include "compiler/onnx/model_info.h"
#include "compiler/onnx/sha1.h"

namespace octet::onnx {
namespace {

// Offsets in the data file fit memory pages, so that it can be mapped.
constexpr size_t kAlignment = 4096;

Result<std::string> serialize_model(const ir::Graph& graph, const FillConstant& fill_constant) {
  ::onnx::ModelProto model;
  fill_model_info(graph.model, model);
  fill_graph(graph, fill_constant, *model.mutable_graph());
  const size_t size = model.ByteSizeLong();
  if (size > INT32_MAX) {
    return resource_limit("the model would have ", size, " bytes, more than ONNX files can");
  }
  return serialize(model);
}

int64_t constant_bytes(const ir::Graph& graph) {
  int64_t total = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (value.alive && value.is_constant()) {
      total += static_cast<int64_t>(value.constant->bytes().size());
    }
  }
  return total;
}

bool goes_outside(const ir::Tensor& tensor, const WriteOptions& options) {
  return tensor.dtype() != ir::DType::kString &&
         static_cast<int64_t>(tensor.bytes().size()) >= options.min_external_bytes;
}

// All large constants one after the other, in the order in which they are written.
std::string data_file(const ir::Graph& graph, const WriteOptions& options) {
  std::string data;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (!value.alive || !value.is_constant() || !goes_outside(*value.constant, options)) continue;
    data.resize((data.size() + kAlignment - 1) / kAlignment * kAlignment);
    const auto bytes = value.constant->bytes();
    data.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return data;
}

void add_entry(::onnx::TensorProto& proto, const char* key, const std::string& value) {
  auto& entry = *proto.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

Status write_external(const ir::Graph& graph, const std::string& path,
                      const WriteOptions& options) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string stem = path.substr(folder.size());
  if (stem.ends_with(".onnx")) stem.resize(stem.size() - 5);

  const std::string data = data_file(graph, options);
  const std::string location = cat(stem, ".", sha1_hex(data).substr(0, 16), ".data");
  size_t offset = 0;
  const FillConstant fill = [&](const ir::Tensor& tensor, ::onnx::TensorProto& proto) {
    if (!goes_outside(tensor, options)) return fill_tensor(tensor, proto);
    fill_tensor_type(tensor, proto);
    offset = (offset + kAlignment - 1) / kAlignment * kAlignment;
    proto.set_data_location(::onnx::TensorProto::EXTERNAL);
    add_entry(proto, "location", location);
    add_entry(proto, "offset", cat(offset));
    add_entry(proto, "length", cat(tensor.bytes().size()));
    offset += tensor.bytes().size();
  };
  OCTET_ASSIGN(const std::string model, serialize_model(graph, fill));
  OCTET_TRY(write_file_atomic(folder + location, data));
  return write_file_atomic(path, model);
}

template <typename Function>
auto guarded(Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return resource_limit("not enough memory to write the model");
  } catch (const std::length_error&) {
    return resource_limit("the model is too large for memory");
  }
}

}  // namespace

Result<std::string> export_model(const ir::Graph& graph) {
  return guarded([&]() -> Result<std::string> {
    if (constant_bytes(graph) > INT32_MAX) {
      return resource_limit("constants of ", constant_bytes(graph),
                            " bytes do not fit one ONNX file");
    }
    return serialize_model(graph, fill_tensor);
  });
}

Status write_model(const ir::Graph& graph, const std::string& path, const WriteOptions& options) {
  return guarded([&]() -> Status {
    if (constant_bytes(graph) > options.max_inline_bytes) {
      return write_external(graph, path, options);
    }
    OCTET_ASSIGN(const std::string bytes, export_model(graph));
    return write_file_atomic(path, bytes);
  });
}

}  // namespace octet::onnx
