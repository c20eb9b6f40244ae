// Which kernels there are for which operator.
#pragma once

#include <cstdint>
#include <span>

#include "compiler/interpreter/kernel.h"

namespace octet::interpreter {

// The first kernel that takes the request, or null.
Result<KernelPtr> make_kernel(const KernelRequest& request);

// Copies a value of float32, int8 or uint8 from one layout to another. oneDNN's reorder. The
// layouts of integers are row-major or channel-blocked.
Result<KernelPtr> make_reorder(const dnnl::engine& engine, ir::DType dtype,
                               std::span<const int64_t> shape, const Layout& from,
                               const Layout& to);

// Copies bytes.
KernelPtr make_copy(int64_t bytes);

// Copies the elements of a value in a padded channel-blocked layout one behind another, without the
// padding, in whatever order they come.
KernelPtr make_compaction(std::span<const int64_t> shape, int64_t block);

// True for an operator whose kernels can take post-ops.
bool takes_post_ops(const ir::Node& node);

}  // namespace octet::interpreter
