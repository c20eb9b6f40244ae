"""Operators a model is written in, executed by JAX (initialisation, training, reference inference).

Every model is one function `forward(ops, x)`. Given a `JaxOps` it computes; given an
`onnx_ops.OnnxOps` it writes the ONNX graph. One definition keeps the two from drifting apart.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BN_EPSILON = 1e-5
BN_MOMENTUM = 0.95


class JaxOps:
    """`rng` present: missing parameters are created. `train`: batch statistics feed the BNs."""

    def __init__(self, params, stats, train=False, rng=None):
        self.params, self.stats, self.train, self.rng = params, stats, train, rng
        self.new_stats = dict(stats)

    def param(self, name, shape, std=0.0, mean=0.0):
        if self.rng is not None and name not in self.params:
            value = mean + std * self.rng.standard_normal(shape)
            self.params[name] = jnp.asarray(value, jnp.float32)
        return self.params[name]

    # Convolutional layers

    def conv(self, x, name, cin, cout, kernel, stride=1, pads=None, groups=1, bias=None):
        fan_in = kernel * kernel * cin // groups
        shape = (cout, cin // groups, kernel, kernel)
        weight = self.param(f"{name}.weight", shape, std=np.sqrt(2 / fan_in))
        top, left, bottom, right = pads or (kernel // 2,) * 4
        if groups == cin == cout:
            x = jnp.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
            y = _depthwise(x, weight, kernel, stride)
        else:
            y = lax.conv_general_dilated(
                x, weight, (stride, stride), ((top, bottom), (left, right)),
                feature_group_count=groups, dimension_numbers=("NCHW", "OIHW", "NCHW"))
        if bias is not None:
            y = y + self.param(f"{name}.bias", (cout,), mean=bias)[:, None, None]
        return y

    def batch_norm(self, x, name, channels, scale=1.0):
        gamma = self.param(f"{name}.weight", (channels,), mean=scale)
        beta = self.param(f"{name}.bias", (channels,))
        mean_name, var_name = f"{name}.running_mean", f"{name}.running_var"
        if self.rng is not None:
            self.new_stats.setdefault(mean_name, jnp.zeros(channels))
            self.new_stats.setdefault(var_name, jnp.ones(channels))
        if self.train:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            count = x.size // channels
            for key, value in ((mean_name, mean), (var_name, var * count / (count - 1))):
                old = self.new_stats[key]
                self.new_stats[key] = BN_MOMENTUM * old + (1 - BN_MOMENTUM) * value
        else:
            mean, var = self.stats[mean_name], self.stats[var_name]
        factor = gamma / jnp.sqrt(var + BN_EPSILON)
        return x * factor[:, None, None] + (beta - mean * factor)[:, None, None]

    def relu(self, x):
        return jnp.maximum(x, 0)

    def clip(self, x, low, high):
        return jnp.clip(x, low, high)

    def max_pool(self, x, kernel):
        return _tiles(x, kernel).max((3, 5))

    def avg_pool(self, x, kernel, stride, pad=0):
        if kernel == stride and not pad:
            return _tiles(x, kernel).mean((3, 5))

        def window_sum(v):
            return lax.reduce_window(v, 0.0, lax.add, (1, 1, kernel, kernel),
                                     (1, 1, stride, stride),
                                     ((0, 0), (0, 0), (pad, pad), (pad, pad)))

        # Padding is left out of the count, as the exported count_include_pad=0 demands.
        return window_sum(x) / window_sum(jnp.ones((1, 1) + x.shape[2:]))

    def global_avg_pool(self, x):
        return x.mean((2, 3), keepdims=True)

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def gemm(self, x, name, cin, cout):
        weight = self.param(f"{name}.weight", (cout, cin), std=np.sqrt(1 / cin))
        return x @ weight.T + self.param(f"{name}.bias", (cout,))

    # Primitives

    def matmul(self, a, b):
        return jnp.matmul(a, b)

    def add(self, a, b):
        return a + b

    def sub(self, a, b):
        return a - b

    def mul(self, a, b):
        return a * b

    def div(self, a, b):
        return a / b

    def pow(self, a, b):
        return a ** b

    def sqrt(self, x):
        return jnp.sqrt(x)

    def erf(self, x):
        return lax.erf(x)

    def softmax(self, x):
        return jax.nn.softmax(x, axis=-1)

    def reduce_mean(self, x, axis, keepdims):
        return x.mean(axis, keepdims=keepdims)

    def reduce_max(self, x, axis, output):
        return x.max(axis)

    def concat(self, xs, axis, output=None):
        return jnp.concatenate(xs, axis)

    def transpose(self, x, perm):
        return x.transpose(perm)

    def reshape(self, x, dims):
        return x.reshape(x.shape[0], *dims)

    def reshape_by_shape_subgraph(self, x, dims):
        return self.reshape(x, dims)


def _depthwise(x, weight, kernel, stride):
    """Sum of shifted products: XLA's grouped convolution gradient is very slow on CPUs."""
    height = (x.shape[2] - kernel) // stride + 1
    width = (x.shape[3] - kernel) // stride + 1
    total = 0.0
    for i in range(kernel):
        for j in range(kernel):
            window = x[:, :, i:i + stride * (height - 1) + 1:stride,
                       j:j + stride * (width - 1) + 1:stride]
            total = total + window * weight[:, 0, i, j][:, None, None]
    return total


def _tiles(x, kernel):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // kernel, kernel, w // kernel, kernel)
