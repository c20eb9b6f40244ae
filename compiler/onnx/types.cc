#include "compiler/onnx/types.h"

namespace octet::onnx {
namespace {

ir::Dim take_dim(::onnx::TensorShapeProto::Dimension& dim) {
  ir::Dim out;
  // Exporters write -1 where an extent is not known.
  if (dim.has_dim_value() && dim.dim_value() >= 0) out = ir::Dim(dim.dim_value());
  if (dim.has_dim_param() && !dim.dim_param().empty()) out = ir::Dim::named(dim.dim_param());
  dim.clear_dim_value();
  dim.clear_dim_param();
  return out;
}

// Clears what has been emptied, so that nothing is left of a plain tensor type.
void drop_empty(::onnx::ValueInfoProto& info) {
  ::onnx::TypeProto& type = *info.mutable_type();
  if (type.has_tensor_type()) {
    ::onnx::TypeProto::Tensor& tensor = *type.mutable_tensor_type();
    bool left = !tensor.shape().unknown_fields().empty();
    for (const auto& dim : tensor.shape().dim()) left = left || dim.ByteSizeLong() > 0;
    if (!left) tensor.clear_shape();
    if (tensor.ByteSizeLong() == 0) type.clear_tensor_type();
  }
  if (type.ByteSizeLong() == 0) info.clear_type();
}

}  // namespace

Result<ir::TensorType> take_type(::onnx::ValueInfoProto& info, int64_t max_rank) {
  ir::TensorType out;
  if (!info.has_type() || !info.type().has_tensor_type()) return out;
  ::onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  if (tensor.elem_type() != 0 && !numerics::is_known_dtype(tensor.elem_type())) {
    return malformed("element type ", tensor.elem_type(), " is not one of ONNX's");
  }
  out.storage = static_cast<ir::DType>(tensor.elem_type());
  tensor.clear_elem_type();
  if (tensor.has_shape()) {
    ::onnx::TensorShapeProto& shape = *tensor.mutable_shape();
    if (shape.dim_size() > max_rank) {
      return resource_limit("rank ", shape.dim_size(), ", at most ", max_rank, " allowed");
    }
    std::vector<ir::Dim> dims;
    for (auto& dim : *shape.mutable_dim()) dims.push_back(take_dim(dim));
    // A shape means nothing without an element type.
    if (out.storage != ir::DType::kUndefined) out.shape = ir::Shape(std::move(dims));
  }
  drop_empty(info);
  return out;
}

void fill_type(const ir::TensorType& type, ::onnx::ValueInfoProto& info) {
  if (type.storage == ir::DType::kUndefined) return;
  ::onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int32_t>(type.storage));
  if (!type.shape.has_rank()) {
    tensor.clear_shape();
    return;
  }
  ::onnx::TensorShapeProto& shape = *tensor.mutable_shape();
  if (shape.dim_size() != static_cast<int>(type.shape.rank())) shape.clear_dim();
  while (shape.dim_size() < static_cast<int>(type.shape.rank())) shape.add_dim();
  for (size_t i = 0; i < type.shape.rank(); ++i) {
    const ir::Dim& dim = type.shape[i];
    auto& out = *shape.mutable_dim(static_cast<int>(i));
    if (dim.is_static()) out.set_dim_value(dim.extent());
    if (dim.is_named()) out.set_dim_param(dim.name());
  }
}

Result<ir::TensorType> merge_types(const ir::TensorType& a, const ir::TensorType& b) {
  if (a.storage == ir::DType::kUndefined) return b;
  if (b.storage == ir::DType::kUndefined) return a;
  if (a.storage != b.storage || !ir::compatible(a.shape, b.shape)) {
    return malformed("declared both ", a.to_string(), " and ", b.to_string());
  }
  return ir::TensorType{a.storage, ir::merge(a.shape, b.shape)};
}

}  // namespace octet::onnx
