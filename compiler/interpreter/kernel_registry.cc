#include "compiler/interpreter/kernel_registry.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace octet::interpreter {

#define OCTET_KERNEL(op, factory) Result<KernelPtr> factory(const KernelRequest& request);
#define OCTET_MICROSOFT_KERNEL OCTET_KERNEL
#include "compiler/interpreter/kernels.def"
#undef OCTET_MICROSOFT_KERNEL
#undef OCTET_KERNEL

namespace {

struct Entry {
  std::string_view domain;
  std::string_view op;
  KernelFactory factory;
};

constexpr Entry kEntries[] = {
#define OCTET_KERNEL(op, factory) {"", #op, factory},
#define OCTET_MICROSOFT_KERNEL(op, factory) {"com.microsoft", #op, factory},
#include "compiler/interpreter/kernels.def"
#undef OCTET_MICROSOFT_KERNEL
#undef OCTET_KERNEL
};

}  // namespace

Result<KernelPtr> make_kernel(const KernelRequest& request) {
  for (const Entry& entry : kEntries) {
    if (request.node.domain != entry.domain || request.node.op_type != entry.op) continue;
    OCTET_ASSIGN(KernelPtr kernel, entry.factory(request));
    if (kernel != nullptr) return kernel;
  }
  return KernelPtr();
}

bool takes_post_ops(const ir::Node& node) {
  constexpr std::array<std::string_view, 4> kOperators = {"Conv", "ConvTranspose", "Gemm",
                                                          "MatMul"};
  return node.domain.empty() &&
         std::find(kOperators.begin(), kOperators.end(), node.op_type) != kOperators.end();
}

}  // namespace octet::interpreter
