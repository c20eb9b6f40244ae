#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"

namespace octet::plan {

Result<ir::Tensor> quantize_constant(const ir::Tensor& tensor, const ir::QuantParams& params) {
  OCTET_TRY(params.check_against(tensor.type().shape));
  OCTET_ASSIGN(ir::Tensor out, ir::Tensor::zeros(params.storage(), tensor.shape()));
  if (params.granularity() == ir::Granularity::kBlocked) {
    const std::vector<size_t> block_of = scale_of_element(params.spec(), tensor.shape());
    const std::vector<float> reals = tensor.to_floats();
    for (size_t i = 0; i < reals.size(); ++i) {
      const size_t b = block_of[i];
      if (b >= params.scales().size()) return usage_error("too few scales for its blocks [Q4]");
      out.set_from_int64(static_cast<int64_t>(i),
                         numerics::quantize(reals[i], params.scales()[b], params.zero_points()[b],
                                            params.qmin(), params.qmax()));
    }
    return out;
  }
  size_t inner = 1;
  if (!params.per_tensor()) {
    for (size_t i = static_cast<size_t>(params.axis()) + 1; i < tensor.rank(); ++i) {
      inner *= static_cast<size_t>(tensor.shape()[i]);
    }
  }
  const size_t channels = params.scales().size();
  const std::vector<float> values = tensor.to_floats();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = params.per_tensor() ? 0 : (i / inner) % channels;
    out.set_from_int64(static_cast<int64_t>(i),
                       numerics::quantize(values[i], params.scales()[c], params.zero_points()[c],
                                          params.qmin(), params.qmax()));
  }
  return out;
}

}  // namespace octet::plan
