// AttributeProto -> Attribute.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/attribute.h"
#include "compiler/onnx/proto.h"
#include "compiler/onnx/tensors.h"

namespace octet::onnx {

// The attribute's kind; where the file does not say, that of the one field that is set. kMalformed
// when fields of another kind are set too.
Result<::onnx::AttributeProto::AttributeType> attribute_kind(const ::onnx::AttributeProto& proto);

// Takes the value of an attribute that is no graph out of the message. Left are its name,
// doc_string, those of its tensor, and what is not known.
Result<ir::Attribute> take_attribute(::onnx::AttributeProto& proto, TensorReader& tensors);

// Sets type and value; `proto` may hold what take_attribute left. Not for graphs.
void fill_attribute(const ir::Attribute& attribute, ::onnx::AttributeProto& proto);

}  // namespace octet::onnx
