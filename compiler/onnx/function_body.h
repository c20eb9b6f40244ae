// The nodes of a function as they stand in place of one call.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "compiler/base/result.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Names that are taken.
class NameSet {
 public:
  // All names of values in a list of nodes and the bodies below it.
  void add_all(const NodeList& nodes);
  void add(const std::string& name) { names_.insert(name); }
  // `hint`, or with _1, _2, ... behind; taken from now on.
  std::string fresh(const std::string& hint);

 private:
  std::set<std::string, std::less<>> names_;
  std::map<std::string, int64_t> next_;  // suffix to try next, per hint
};

// Appends the function's nodes to `out`: formal names replaced by actual ones, inner names made
// fresh, attribute references replaced by the call's attributes or their defaults.
Status write_out(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& call,
                 NameSet& taken, NodeList& out);

}  // namespace octet::onnx
