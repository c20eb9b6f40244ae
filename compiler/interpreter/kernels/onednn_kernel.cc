#include "compiler/interpreter/kernels/onednn_kernel.h"

#include <cstring>

#include "compiler/interpreter/kernel_registry.h"
#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/threads.h"

namespace octet::interpreter {
namespace {

// Memory objects with the addresses they had at the last execution.
class PrimitiveState : public KernelState {
 public:
  std::vector<dnnl::memory> memories;  // by argument
  std::vector<dnnl_exec_arg_t> arguments;
};

class CopyKernel : public Kernel {
 public:
  explicit CopyKernel(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    needs = {InputNeed::plain()};
    output_layouts = {Layout()};
  }
  Status execute(const Execution& execution) const override {
    if (bytes_ > 0) std::memcpy(execution.outputs[0], execution.inputs[0], bytes_);
    return {};
  }

 private:
  size_t bytes_;
};

}  // namespace

std::unique_ptr<KernelState> OnednnKernel::make_state() const {
  return std::make_unique<PrimitiveState>();
}

Status OnednnKernel::execute(const Execution& execution) const {
  auto& state = static_cast<PrimitiveState&>(*execution.state);
  const auto address = [&](const PrimitiveArgument& a) -> void* {
    switch (a.source) {
      case PrimitiveArgument::Source::kInput:
        return const_cast<std::byte*>(execution.inputs[a.index]);  // read only all the same
      case PrimitiveArgument::Source::kOutput:
        return execution.outputs[a.index];
      case PrimitiveArgument::Source::kPacked:
        return a.packed->data();
      case PrimitiveArgument::Source::kScratch:
        return execution.scratch;
    }
    return nullptr;
  };
  if (addend_ && execution.inputs[*addend_] != execution.outputs[0]) {
    std::memcpy(execution.outputs[0], execution.inputs[*addend_], addend_bytes_);
  }
  auto done = onednn::guarded([&] {
    if (state.memories.empty()) {
      for (const PrimitiveArgument& a : arguments_) {
        state.memories.push_back(dnnl::memory(a.desc, engine_, nullptr));
        state.arguments.push_back({a.argument, state.memories.back().get()});
      }
    }
    for (size_t i = 0; i < arguments_.size(); ++i) {
      void* now = address(arguments_[i]);
      // Setting an address also zeroes padding, so not each time.
      if (state.memories[i].get_data_handle() != now) state.memories[i].set_data_handle(now);
    }
    const ThreadCount threads(threads_);
    // The C++ form would gather the arguments anew each time.
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive_.get(), execution.stream.get(),
                               static_cast<int>(state.arguments.size()), state.arguments.data()),
        "could not execute a primitive");
    return 0;
  });
  if (!done.ok()) return done.error();
  return {};
}

dnnl::primitive_attr strict_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

namespace {

onednn::Desc typed_desc(const Layout& layout, ir::DType dtype, std::span<const int64_t> shape) {
  return dtype == ir::DType::kFloat32 ? layout.desc_for(shape) : integer_desc(shape, dtype, layout);
}

}  // namespace

Result<KernelPtr> make_reorder(const dnnl::engine& engine, ir::DType dtype,
                               std::span<const int64_t> shape, const Layout& from,
                               const Layout& to) {
  return onednn::guarded([&]() -> KernelPtr {
    const onednn::Desc source = typed_desc(from, dtype, shape);
    const onednn::Desc target = typed_desc(to, dtype, shape);
    const dnnl::reorder::primitive_desc desc(engine, source, engine, target, strict_attributes());
    using Source = PrimitiveArgument::Source;
    auto kernel = std::make_unique<OnednnKernel>(
        dnnl::reorder(desc), engine,
        std::vector<PrimitiveArgument>{
            {DNNL_ARG_FROM, source, Source::kInput, 0, nullptr},
            {DNNL_ARG_TO, target, Source::kOutput, 0, nullptr},
            {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc(), Source::kScratch, 0, nullptr}});
    kernel->scratch_bytes = static_cast<int64_t>(desc.scratchpad_desc().get_size());
    kernel->needs = {InputNeed::in(from)};
    kernel->output_layouts = {to};
    return kernel;
  });
}

KernelPtr make_copy(int64_t bytes) { return std::make_unique<CopyKernel>(bytes); }

}  // namespace octet::interpreter
