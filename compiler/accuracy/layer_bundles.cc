#include "compiler/accuracy/layer_bundles.h"

#include <algorithm>

namespace octet::accuracy {

bool read_alike(const ir::Graph& graph, const Layer& a, const Layer& b) {
  const ir::Node& m = graph.node(a.node);
  const ir::Node& n = graph.node(b.node);
  if (a.layout.groups != 1 || b.layout.groups != 1 || a.layout.columns != b.layout.columns ||
      m.op_type != n.op_type) {
    return false;
  }
  if (!m.is("Conv")) return true;
  const auto& u = graph.constant(a.weight)->shape();
  const auto& v = graph.constant(b.weight)->shape();
  if (!std::equal(u.begin() + 1, u.end(), v.begin() + 1, v.end())) return false;
  if (m.attributes.size() != n.attributes.size()) return false;
  for (const auto& [key, value] : m.attributes) {
    const auto it = n.attributes.find(key);
    if (it == n.attributes.end() || !ir::attributes_equal(value, it->second)) return false;
  }
  return true;
}

std::vector<std::vector<size_t>> bundles_of(const ir::Graph& graph,
                                            const std::vector<const Layer*>& layers,
                                            const std::vector<ir::ValueId>& sources,
                                            const std::vector<size_t>& ready) {
  std::vector<std::vector<size_t>> out;
  for (const size_t index : ready) {
    const auto same = [&](const std::vector<size_t>& bundle) {
      return sources[bundle.front()] == sources[index] &&
             read_alike(graph, *layers[bundle.front()], *layers[index]);
    };
    const auto it = std::find_if(out.begin(), out.end(), same);
    if (it != out.end()) {
      it->push_back(index);
    } else {
      out.push_back({index});
    }
  }
  return out;
}

}  // namespace octet::accuracy
