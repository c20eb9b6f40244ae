#include "compiler/onnx/attributes.h"

#include <memory>

#include "compiler/base/names.h"
#include "compiler/onnx/export_tensor.h"

namespace octet::onnx {
namespace {

using Proto = ::onnx::AttributeProto;
using Kind = ::onnx::AttributeProto::AttributeType;

std::vector<Kind> kinds_set(const Proto& proto) {
  std::vector<Kind> kinds;
  const auto note = [&](bool present, Kind kind) {
    if (present) kinds.push_back(kind);
  };
  note(proto.has_f(), Proto::FLOAT);
  note(proto.has_i(), Proto::INT);
  note(proto.has_s(), Proto::STRING);
  note(proto.has_t(), Proto::TENSOR);
  note(proto.has_g(), Proto::GRAPH);
  note(proto.has_sparse_tensor(), Proto::SPARSE_TENSOR);
  note(proto.has_tp(), Proto::TYPE_PROTO);
  note(proto.floats_size() > 0, Proto::FLOATS);
  note(proto.ints_size() > 0, Proto::INTS);
  note(proto.strings_size() > 0, Proto::STRINGS);
  note(proto.tensors_size() > 0, Proto::TENSORS);
  note(proto.graphs_size() > 0, Proto::GRAPHS);
  note(proto.sparse_tensors_size() > 0, Proto::SPARSE_TENSORS);
  note(proto.type_protos_size() > 0, Proto::TYPE_PROTOS);
  return kinds;
}

const std::string& kind_name(Kind kind) { return Proto::AttributeType_Name(kind); }

Result<ir::Attribute> take_tensor(Proto& proto, TensorReader& tensors) {
  OCTET_ASSIGN(ir::Tensor tensor, tensors.take(*proto.mutable_t()));
  if (proto.t().ByteSizeLong() == 0) proto.clear_t();
  return ir::Attribute(std::make_shared<const ir::Tensor>(std::move(tensor)));
}

bool has_external(const Proto& proto) {
  for (const auto& tensor : proto.tensors()) {
    if (tensor.external_data_size() > 0) return true;
  }
  return proto.sparse_tensor().values().external_data_size() > 0 ||
         proto.sparse_tensor().indices().external_data_size() > 0;
}

Result<ir::Attribute> take_opaque(Proto& proto, Kind kind) {
  if (has_external(proto)) {
    return unsupported("external data in an attribute of kind ", kind_name(kind));
  }
  const std::string name = proto.name();
  proto.clear_name();
  proto.set_type(kind);
  ir::OpaqueAttribute opaque{kind, serialize(proto)};
  proto.Clear();
  proto.set_name(name);
  return ir::Attribute(std::move(opaque));
}

struct Fill {
  Proto& proto;

  void operator()(int64_t value) const {
    proto.set_type(Proto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(Proto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(Proto::STRING);
    proto.set_s(value);
  }
  void operator()(const ir::TensorPtr& value) const {
    proto.set_type(Proto::TENSOR);
    fill_tensor(*value, *proto.mutable_t());
  }
  void operator()(const ir::GraphPtr&) const { proto.set_type(Proto::GRAPH); }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(Proto::INTS);
    proto.mutable_ints()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(Proto::FLOATS);
    proto.mutable_floats()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(Proto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const ir::OpaqueAttribute& value) const {
    const std::string name = proto.name();
    proto.ParsePartialFromString(value.bytes);
    proto.set_name(name);
    if (value.onnx_type != Proto::UNDEFINED) proto.set_type(static_cast<Kind>(value.onnx_type));
  }
};

}  // namespace

Result<Kind> attribute_kind(const Proto& proto) {
  // A kind that the enumeration does not have is kept as an unknown field.
  constexpr int kTypeField = 20;
  const auto& unknown = proto.unknown_fields();
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).number() == kTypeField) return malformed("of a kind that is not known");
  }
  const std::vector<Kind> kinds = kinds_set(proto);
  const Kind declared = proto.type();
  if (declared == Proto::UNDEFINED) {
    if (kinds.size() == 1) return kinds.front();
    if (kinds.empty()) return malformed("no kind that is known, and no value");
    return malformed("holds both ", kind_name(kinds[0]), " and ", kind_name(kinds[1]));
  }
  for (Kind kind : kinds) {
    if (kind != declared) {
      return malformed("declared ", kind_name(declared), ", but holds ", kind_name(kind));
    }
  }
  if (kinds.empty() && (declared == Proto::TENSOR || declared == Proto::GRAPH ||
                        declared == Proto::SPARSE_TENSOR || declared == Proto::TYPE_PROTO)) {
    return malformed("declared ", kind_name(declared), ", but holds none");
  }
  return declared;
}

Result<ir::Attribute> take_attribute(Proto& proto, TensorReader& tensors) {
  if (proto.has_ref_attr_name()) {
    return malformed("refers to attribute ", quote_name(proto.ref_attr_name()),
                     " of a function, outside of one");
  }
  OCTET_ASSIGN(const Kind kind, attribute_kind(proto));
  ir::Attribute value = int64_t{0};
  switch (kind) {
    case Proto::INT:
      value = proto.i();
      break;
    case Proto::FLOAT:
      value = proto.f();
      break;
    case Proto::STRING:
      value = std::move(*proto.mutable_s());
      break;
    case Proto::INTS:
      value = std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
      break;
    case Proto::FLOATS:
      value = std::vector<float>(proto.floats().begin(), proto.floats().end());
      break;
    case Proto::STRINGS:
      value = std::vector<std::string>(proto.strings().begin(), proto.strings().end());
      break;
    case Proto::TENSOR: {
      OCTET_ASSIGN(value, take_tensor(proto, tensors));
      break;
    }
    case Proto::GRAPHS:
      return unsupported("a list of graphs");
    default:
      return take_opaque(proto, kind);
  }
  proto.clear_type();
  proto.clear_i();
  proto.clear_f();
  proto.clear_s();
  proto.clear_ints();
  proto.clear_floats();
  proto.clear_strings();
  return value;
}

void fill_attribute(const ir::Attribute& attribute, Proto& proto) {
  std::visit(Fill{proto}, attribute);
}

}  // namespace octet::onnx
