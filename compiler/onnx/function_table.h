// The model-local functions of a file, checked: unique, not calling themselves, and small enough
// when written out.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

class FunctionTable {
 public:
  // Borrows the functions of the model. kMalformed for functions with one id, with an id of
  // ai.onnx, and for cycles; kResourceLimit when inlining would pass the limits, which is found
  // without inlining.
  static Result<FunctionTable> build(::onnx::ModelProto& model, const ImportOptions& options);

  bool empty() const { return functions_.empty(); }

  // The function that a node calls, or null.
  const ::onnx::FunctionProto* called_by(const ::onnx::NodeProto& node) const;

  // Functions that the main graph calls, directly or not; callees before callers.
  const std::vector<::onnx::FunctionProto*>& called() const { return called_; }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // domain, name, overload
  struct Entry {
    ::onnx::FunctionProto* proto;
    int64_t nodes = 0;                // its own
    std::map<size_t, int64_t> calls;  // function -> times
    int64_t depth = 0;                // of calls, itself included
    int64_t expanded = 0;             // nodes when written out
  };

  Status add_all(::onnx::ModelProto& model, const ImportOptions& options);
  void count(const NodeList& nodes, Entry& entry) const;
  Status visit(size_t root, const ImportOptions& options);
  Status finish(size_t index, const ImportOptions& options);
  Error cycle(const std::vector<size_t>& path, size_t back_to) const;
  const size_t* find(const ::onnx::NodeProto& node) const;

  std::vector<Entry> functions_;
  std::map<Key, size_t> index_;
  std::vector<size_t> order_;  // callees first
  std::vector<::onnx::FunctionProto*> called_;
  bool any_overload_ = false;
};

// "domain.name", quoted.
std::string describe(const ::onnx::FunctionProto& function);

}  // namespace octet::onnx
