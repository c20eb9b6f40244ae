#include "compiler/numerics/quantize.h"
#include "compiler/plan/apply.h"

namespace octet::plan {

Result<ir::Tensor> quantize_constant(const ir::Tensor& tensor, const ir::QuantParams& params) {
  OCTET_TRY(params.check_against(tensor.type().shape));
  OCTET_ASSIGN(ir::Tensor out, ir::Tensor::zeros(params.storage(), tensor.shape()));
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
