"""Operators that few models have: signal, detection, geometry, wider and blocked quantizers."""
import numpy as np

from .builder import Skip
from .integer_ops import quantization

F32 = np.dtype(np.float32)
I64 = np.dtype(np.int64)


def f32(g, where=lambda v: True):
    return g.pick(where, (F32,))


def at_least(g, opset):
    if g.opset < opset:
        raise Skip


def det(g):
    x = f32(g, lambda v: v.rank >= 2 and v.size and min(v.shape[-2:]) >= 1)
    n = min(x.shape[-2:])
    if n > 4:
        raise Skip
    square = g.emit("Slice", [x, g.ints([0, 0]), g.ints([n, n]), g.ints([-2, -1])], kind="moves")
    # A dominant diagonal keeps the determinant apart from cancellation.
    return g.emit("Det", [g.emit("Add", [square, g.const((3 * np.eye(n)).astype(np.float32))])])


def affine_grid(g):
    at_least(g, 20)
    theta = g.const(g.numbers([2, 2, 3], low=-1, high=1))
    # One element with aligned corners stands at -1, in the middle or at 1: the standard does not say.
    align = g.choice([None, 1])
    least = 2 if align else 1
    return g.emit("AffineGrid", [theta, g.ints([2, 1, g.integer(least, 4), g.integer(least, 4)])], align_corners=align)


def col2im(g):
    at_least(g, 18)
    kernel = [g.integer(1, 2), g.integer(1, 3)]
    image = [g.integer(3, 5), g.integer(3, 5)]
    blocks = (image[0] - kernel[0] + 1) * (image[1] - kernel[1] + 1)
    x = g.const(g.numbers([g.integer(1, 2), kernel[0] * kernel[1] * g.integer(1, 2), blocks]))
    scaled = g.emit("Mul", [x, f32(g, lambda v: v.size == 1 and v.rank <= 3)])
    return g.emit("Col2Im", [scaled, g.ints(image), g.ints(kernel)])


def roi_align(g):
    at_least(g, 16)
    x = f32(g, lambda v: v.rank == 4 and v.size and min(v.shape[2:]) >= 2)
    count = g.integer(1, 3)
    corners = g.random.uniform(0, 3, [count, 2])
    rois = np.concatenate([corners, corners + g.random.uniform(0.5, 4, [count, 2])], 1).astype(np.float32)
    batch = g.ints(g.random.integers(0, x.shape[0], count))
    # Maxima over samples are not generated: ONNX Runtime takes the maximum of weighted terms, not of samples.
    return g.emit("RoiAlign", [x, g.const(rois), batch], output_height=g.integer(1, 3), output_width=g.integer(1, 3),
                  sampling_ratio=g.choice([0, 1, 2]), spatial_scale=g.choice([None, 0.5]),
                  coordinate_transformation_mode=g.choice([None, "half_pixel", "output_half_pixel"]))


def max_unpool(g):
    x = f32(g, lambda v: v.rank == 4 and v.size and v.shape[2] % 2 == 0 and v.shape[3] % 2 == 0)
    pooled, index = g.emit("MaxPool", [x], 2, kind="moves", kernel_shape=[2, 2], strides=[2, 2])
    return g.emit("MaxUnpool", [pooled, index], kind="moves", kernel_shape=[2, 2], strides=[2, 2])


def non_max_suppression(g):
    boxes, classes = g.integer(2, 8), g.integer(1, 2)
    corners = g.random.uniform(0, 3, [1, boxes, 2])
    box = g.const(np.concatenate([corners, corners + g.random.uniform(0.5, 2, [1, boxes, 2])], 2).astype(np.float32))
    scores = g.const(g.numbers([1, classes, boxes], low=0.01, high=1))
    limits = [g.ints([g.integer(1, 5)]), g.const(np.array([0.4], np.float32)), g.const(np.array([0.2], np.float32))]
    return g.emit("NonMaxSuppression", [box, scores, *limits[: g.integer(1, 3)]], kind="exact", center_point_box=g.choice([None, 1]))


def dft(g):
    at_least(g, 20)
    x = f32(g, lambda v: v.rank >= 2 and v.size and v.rank <= 3)
    real = g.emit("Unsqueeze", [x, g.ints([-1])], kind="moves")
    return g.emit("DFT", [real, None, g.ints(-g.integer(2, real.rank))], onesided=g.choice([None, 1]))


def window(g):
    at_least(g, 17)
    return g.emit(g.choice(["HannWindow", "HammingWindow", "BlackmanWindow"]), [g.ints(g.integer(4, 12))], periodic=g.choice([None, 0]))


def wide_quantize(g):
    at_least(g, 21)
    dtype = np.dtype(g.choice([np.int16, np.uint16]))
    x = f32(g, lambda v: v.size and v.size <= 1500)
    most = max(float(np.abs(x.array).max()), 0.1)
    parameters = quantization(g, dtype, 0.9 * most / 32767, 1.1 * most / 32767, int(np.iinfo(dtype).max // 2) if dtype == np.uint16 else 0)
    q = g.emit("QuantizeLinear", [x, *parameters], kind="steps")
    return g.emit("DequantizeLinear", [q, *parameters], kind="moves")


def blocked_quantize(g):
    at_least(g, 21)
    x = f32(g, lambda v: v.rank >= 2 and v.size and v.size <= 1500)
    written, axis = g.axis(x.rank)
    n = x.shape[axis]
    block = g.choice([d for d in range(1, n + 1) if n % d == 0])
    shape = list(x.shape)
    shape[axis] = n // block
    scales = g.const(g.numbers(shape, low=0.01, high=0.1))
    zeros = g.const(g.random.integers(-5, 6, shape).astype(np.int8))
    q = g.emit("QuantizeLinear", [x, scales, zeros], kind="steps", axis=written, block_size=block)
    return g.emit("DequantizeLinear", [q, scales, zeros], kind="moves", axis=written, block_size=block)


def quantize_by_type(g):
    """QuantizeLinear without a zero point, its type by output_dtype."""
    at_least(g, 21)
    x = f32(g, lambda v: v.size and v.size <= 1500)
    return g.emit("QuantizeLinear", [x, g.const(np.float32(0.03))], kind="steps", output_dtype=g.choice([2, 3]))


def einsum_of_three(g):
    x = f32(g, lambda v: v.rank == 2 and v.size)
    i, j = x.shape
    k, m = g.integer(1, 4), g.integer(1, 4)
    b, c = g.const(g.numbers([j, k], low=-0.7, high=0.7)), g.const(g.numbers([k, m], low=-0.7, high=0.7))
    return g.emit("Einsum", [x, b, c], equation=g.choice(["ij,jk,km->im", "ij,jk,km->mi", "ij,jk,km->ik"]))


def deform_conv(g):
    at_least(g, 19)
    x = f32(g, lambda v: v.rank == 4 and v.size and v.shape[1] <= 8 and min(v.shape[2:]) >= 2)
    n, c, h, w = x.shape
    weight = g.const(g.numbers([g.integer(1, 3), c, 2, 2], low=-0.6, high=0.6))
    offset = g.const(g.numbers([n, 8, h - 1, w - 1], low=-0.8, high=0.8))
    operands = [x, weight, offset]
    if g.chance(0.5):
        operands += [g.const(g.numbers([weight.shape[0]])), g.const(g.numbers([n, 4, h - 1, w - 1], low=0, high=1))]
    return g.emit("DeformConv", operands, kernel_shape=[2, 2])


def losses(g):
    x = f32(g, lambda v: v.rank >= 2 and v.size and v.shape[1] >= 2)
    target = g.const(g.random.integers(0, x.shape[1], [x.shape[0], *x.shape[2:]]).astype(np.int64))
    weights = [g.const(g.numbers([x.shape[1]], low=0.5, high=1.5))] if g.chance(0.4) else []
    name = g.choice(["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
    return g.emit(name, [x, target, *weights], reduction=g.choice(["mean", "sum", "none"]))


OPS = [(det, 1), (affine_grid, 1), (col2im, 1), (roi_align, 1), (max_unpool, 1), (non_max_suppression, 0.5), (dft, 1),
       (window, 0.5), (wide_quantize, 1), (blocked_quantize, 1), (quantize_by_type, 1), (einsum_of_three, 1), (deform_conv, 1),
       (losses, 1)]
