// Kernels that are one oneDNN primitive.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "compiler/interpreter/kernel.h"

namespace octet::interpreter {

// Memory that a primitive reads or writes, and where it comes from.
struct PrimitiveArgument {
  enum class Source { kInput, kOutput, kPacked, kScratch };
  int argument = 0;  // DNNL_ARG_...
  onednn::Desc desc;
  Source source = Source::kInput;
  size_t index = 0;                   // of the input or output
  ChargedMemoryPtr packed = nullptr;  // kPacked
};

class OnednnKernel : public Kernel {
 public:
  OnednnKernel(dnnl::primitive primitive, const dnnl::engine& engine,
               std::vector<PrimitiveArgument> arguments)
      : primitive_(std::move(primitive)), engine_(engine), arguments_(std::move(arguments)) {}

  // The primitive was made for this many threads. Sums of some primitives depend on the number of
  // threads they are split over, so one is the rule.
  void run_on(size_t threads) { threads_ = threads; }

  // The primitive adds to what output 0 holds: operand `input`, of `bytes` bytes, goes there first.
  void accumulate_onto(size_t input, size_t bytes) {
    addend_ = input;
    addend_bytes_ = bytes;
    in_place = {input};
  }

  std::unique_ptr<KernelState> make_state() const override;
  Status execute(const Execution& execution) const override;

 private:
  dnnl::primitive primitive_;
  const dnnl::engine& engine_;
  std::vector<PrimitiveArgument> arguments_;
  size_t threads_ = 1;
  std::optional<size_t> addend_;
  size_t addend_bytes_ = 0;
};

// Attributes of every primitive: strict float32, scratch memory from the execution context.
dnnl::primitive_attr strict_attributes();

// True when the primitive descriptor is one of oneDNN's plain loops, which our own beat.
template <typename PrimitiveDesc>
bool is_slow(const PrimitiveDesc& desc) {
  return std::string_view(desc.impl_info_str()).starts_with("ref");
}

}  // namespace octet::interpreter
