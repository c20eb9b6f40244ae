#include "compiler/accuracy/remarks.h"

#include <map>
#include <string>

namespace octet::accuracy {

std::vector<plan::Remark> remarks_of(const ir::Graph& canonical, const ir::Graph& edited,
                                     const std::vector<plan::Remark>& remarks) {
  std::map<std::string, const plan::Remark*> by_value;
  for (size_t i = 0; i < edited.order().size() && i < remarks.size(); ++i) {
    const ir::ValueId output = edited.node(edited.order()[i]).output();
    if (output.valid()) by_value[edited.value(output).name] = &remarks[i];
  }
  std::vector<plan::Remark> out;
  for (const ir::NodeId id : canonical.order()) {
    const ir::Node& node = canonical.node(id);
    const ir::ValueId output = node.output();
    const auto it = output.valid() ? by_value.find(canonical.value(output).name) : by_value.end();
    plan::Remark remark = it != by_value.end() ? *it->second : plan::Remark();
    remark.node = ir::display_name(canonical, node);
    remark.op_type = node.op_type;
    out.push_back(std::move(remark));
  }
  return out;
}

}  // namespace octet::accuracy
