// What differs between oneDNN 2.x and 3.x (3.0 dropped the operation descriptors and the public
// fields of memory descriptors), and errors of oneDNN as values.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/base/result.h"

namespace octet::interpreter::onednn {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;

// Calls `f`, whose exceptions become errors: kResourceLimit when memory ran out, kInternal else.
template <typename F>
auto guarded(F&& f) -> Result<decltype(f())> {
  try {
    return std::forward<F>(f)();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) return resource_limit("oneDNN is out of memory");
    return internal_error("oneDNN: ", e.what());
  } catch (const std::bad_alloc&) {
    return resource_limit("out of memory");
  }
}

// Calls `f`, which describes a primitive; nothing when oneDNN has no kernel for it.
template <typename F>
auto described(F&& f) -> Result<std::optional<decltype(f())>> {
  using Described = std::optional<decltype(f())>;
  try {
    return Described(std::forward<F>(f)());
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) return resource_limit("oneDNN is out of memory");
    return Described();
  } catch (const std::bad_alloc&) {
    return resource_limit("out of memory");
  }
}

// How a memory descriptor places its elements: outer strides per axis, then inner blocks.
struct Blocking {
  Dims dims;
  Dims padded_dims;
  Dims strides;
  Dims inner_blocks;
  Dims inner_axes;
  int64_t offset = 0;
};

inline dnnl::memory::data_type element_type(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type();
#else
  return desc.data_type();
#endif
}

#if DNNL_VERSION_MAJOR >= 3

inline std::optional<Blocking> blocking_of(const Desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return std::nullopt;
  return Blocking{desc.get_dims(),       desc.get_padded_dims(), desc.get_strides(),
                  desc.get_inner_blks(), desc.get_inner_idxs(),  desc.get_submemory_offset()};
}

#else

inline std::optional<Blocking> blocking_of(const Desc& desc) {
  const dnnl_memory_desc_t& data = desc.data;
  if (data.format_kind != dnnl_blocked) return std::nullopt;
  const dnnl_blocking_desc_t& blocking = data.format_desc.blocking;
  const auto list = [](const dnnl_dim_t* first, int count) { return Dims(first, first + count); };
  return Blocking{list(data.dims, data.ndims),
                  list(data.padded_dims, data.ndims),
                  list(blocking.strides, data.ndims),
                  list(blocking.inner_blks, blocking.inner_nblks),
                  list(blocking.inner_idxs, blocking.inner_nblks),
                  data.offset0};
}

#endif

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

// x * clip(x / 6 + 1 / 2, 0, 1).
inline void append_hard_swish(dnnl::post_ops& ops) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(dnnl::algorithm::eltwise_hardswish, 1.0F / 6.0F, 0.5F);
#else
  ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_hardswish, 0.0F, 0.0F);
#endif
}

// The primitive subtracts one number from its source; which, it is told when it runs.
inline void set_source_zero_point(dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
#else
  attributes.set_zero_points(DNNL_ARG_SRC, 0, {DNNL_RUNTIME_S32_VAL});
#endif
}

// oneDNN 2.x multiplies with output scales after it has added the bias, as integer operators are
// defined; 3.x does it before.
inline constexpr bool kScalesOutputsAfterBias = DNNL_VERSION_MAJOR < 3;

// One scale per element of axis 1.
inline void set_output_scales(dnnl::primitive_attr& attributes, const std::vector<float>& scales) {
#if DNNL_VERSION_MAJOR >= 3
  (void)attributes;
  (void)scales;
#else
  attributes.set_output_scales(1 << 1, scales);
#endif
}

// Dilations count the elements between two taps: 0 for a dense kernel.
struct WindowSpec {
  Dims strides;
  Dims dilations;
  Dims pads_begin;
  Dims pads_end;
  Dims kernel;  // pools only
};

struct LinearDescs {
  Desc src;
  Desc weights;
  std::optional<Desc> bias;
  Desc dst;
};

template <typename Primitive>
typename Primitive::primitive_desc make_convolution(dnnl::algorithm algorithm,
                                                    const dnnl::engine& engine,
                                                    const LinearDescs& d, const WindowSpec& w,
                                                    const dnnl::primitive_attr& attr) {
  const auto inference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, inference, algorithm,   d.src,        d.weights,  d.bias.value_or(Desc()),
          d.dst,  w.strides, w.dilations, w.pads_begin, w.pads_end, attr};
#else
  if (d.bias) {
    return {{inference, algorithm, d.src, d.weights, *d.bias, d.dst, w.strides, w.dilations,
             w.pads_begin, w.pads_end},
            attr,
            engine};
  }
  return {{inference, algorithm, d.src, d.weights, d.dst, w.strides, w.dilations, w.pads_begin,
           w.pads_end},
          attr,
          engine};
#endif
}

inline dnnl::convolution_forward::primitive_desc make_convolution(
    const dnnl::engine& engine, const LinearDescs& d, const WindowSpec& w,
    const dnnl::primitive_attr& attr) {
  return make_convolution<dnnl::convolution_forward>(dnnl::algorithm::convolution_direct, engine, d,
                                                     w, attr);
}

inline dnnl::deconvolution_forward::primitive_desc make_deconvolution(
    const dnnl::engine& engine, const LinearDescs& d, const WindowSpec& w,
    const dnnl::primitive_attr& attr) {
  return make_convolution<dnnl::deconvolution_forward>(dnnl::algorithm::deconvolution_direct,
                                                       engine, d, w, attr);
}

inline dnnl::matmul::primitive_desc make_matmul(const dnnl::engine& engine, const LinearDescs& d,
                                                const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, d.src, d.weights, d.bias.value_or(Desc()), d.dst, attr};
#else
  if (d.bias) return {{d.src, d.weights, *d.bias, d.dst}, attr, engine};
  return {{d.src, d.weights, d.dst}, attr, engine};
#endif
}

inline dnnl::pooling_forward::primitive_desc make_pooling(dnnl::algorithm algorithm,
                                                          const dnnl::engine& engine,
                                                          const Desc& src, const Desc& dst,
                                                          const WindowSpec& w,
                                                          const dnnl::primitive_attr& attr) {
  const auto inference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,   inference,   algorithm,    src,        dst, w.strides,
          w.kernel, w.dilations, w.pads_begin, w.pads_end, attr};
#else
  return {{inference, algorithm, src, dst, w.strides, w.kernel, w.pads_begin, w.pads_end},
          attr,
          engine};
#endif
}

}  // namespace octet::interpreter::onednn
