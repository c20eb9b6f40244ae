"""Layers of networks: convolutions, pools, products, normalizations, reductions, resizing, recurrences."""
import numpy as np

from .builder import Skip
from .elementwise_ops import within

F32 = np.dtype(np.float32)
I32, I64 = np.dtype(np.int32), np.dtype(np.int64)


def f32(g, where=lambda v: True):
    return g.pick(where, (F32,))


def image(g, low=3, high=5):
    return f32(g, lambda v: low <= v.rank <= high and v.size and v.shape[1] <= 32)


def windows(g, x, kernel_most=3):
    """kernel_shape, strides, dilations and padding for the spatial axes of x."""
    spatial = x.shape[2:]
    kernel = [g.integer(1, min(kernel_most, max(1, n))) for n in spatial]
    given = {"kernel_shape": kernel}
    if g.chance(0.5):
        given["strides"] = [g.integer(1, 2) for _ in spatial]
    if g.chance(0.25):
        given["dilations"] = [g.integer(1, 2) for _ in spatial]
    style = g.random.random()
    if style < 0.4:
        given["pads"] = [g.integer(0, k - 1) for k in kernel] + [g.integer(0, k - 1) for k in kernel]
    elif style < 0.6:
        given["auto_pad"] = g.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    return given


def conv(g):
    x = image(g)
    channels = x.shape[1]
    group = g.choice([d for d in range(1, channels + 1) if channels % d == 0]) if g.chance(0.5) else 1
    out = g.choice([8, 16, 19, 32]) if group == 1 and g.chance(0.25) else group * g.integer(1, 3)
    given = windows(g, x)
    w = g.const(g.numbers([out, channels // group, *given["kernel_shape"]], low=-0.6, high=0.6))
    operands = [x, w] + ([g.const(g.numbers([out]))] if g.chance(0.6) else [])
    if g.chance(0.3):
        del given["kernel_shape"]
    y = g.emit("Conv", operands, group=group if group > 1 or g.chance(0.3) else None, **given)
    after = g.random.random()
    if after < 0.25:
        return g.emit(g.choice(["Relu", "Sigmoid", "Tanh", "HardSigmoid"]), [y])
    if after < 0.4:
        return g.emit("Clip", [y, g.const(np.float32(0)), g.const(np.float32(6))], kind="moves")
    if after < 0.5:
        return batch_norm(g, y)
    return y


def conv_transpose(g):
    x = image(g, 3, 4)
    channels = x.shape[1]
    group = g.choice([d for d in range(1, channels + 1) if channels % d == 0]) if g.chance(0.4) else 1
    kernel = [g.integer(1, 3) for _ in x.shape[2:]]
    given = {"kernel_shape": kernel, "strides": [g.integer(1, 2) for _ in kernel]}
    if g.chance(0.3):
        given["dilations"] = [g.integer(1, 2) for _ in kernel]
    if g.chance(0.4):
        given["pads"] = [g.integer(0, k - 1) for k in kernel] * 2
    if g.chance(0.4):
        given["output_padding"] = [g.integer(0, s - 1) for s in given["strides"]]
    w = g.const(g.numbers([channels, g.integer(1, 3), *kernel], low=-0.6, high=0.6))
    operands = [x, w] + ([g.const(g.numbers([w.shape[1] * group]))] if g.chance(0.5) else [])
    return g.emit("ConvTranspose", operands, group=group, **given)


def fits_once(x, given):
    """False where the first window is larger than the padded input: runtimes then disagree on whether that
    is an empty result or an error."""
    kernel = given["kernel_shape"]
    if given.get("auto_pad", "").startswith("SAME"):
        return True
    beyond = [s - 1 for s in given.get("strides", [1] * len(kernel))] if given.get("ceil_mode") else [0] * len(kernel)
    pads = given.get("pads", [0] * 2 * len(kernel)) if "auto_pad" not in given else [0] * 2 * len(kernel)
    dilations = given.get("dilations", [1] * len(kernel))
    return all((k - 1) * d + 1 <= n + pads[i] + pads[i + len(kernel)] + beyond[i]
               for i, (k, d, n) in enumerate(zip(kernel, dilations, x.shape[2:])))


def pool(g):
    x = image(g)
    given = windows(g, x)
    name = g.choice(["MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool"])
    # ONNX Runtime takes the kernel without its dilations for these paddings.
    if given.get("auto_pad", "").startswith("SAME"):
        given.pop("dilations", None)
    if name == "AveragePool" and g.opset < 19 or name == "LpPool" and g.opset < 18:
        given.pop("dilations", None)
    if name != "LpPool" or g.opset >= 18:
        given["ceil_mode"] = g.choice([None, 0, 1])
    if name == "AveragePool":
        given["count_include_pad"] = g.choice([None, 0, 1])
    if name == "LpPool":
        given["p"] = g.choice([1, 2])
    if not fits_once(x, given):
        raise Skip
    if name == "MaxPool" and g.chance(0.25):
        return g.emit(name, [x], 2, kind="moves" if x.exact else "smooth", **given)
    return g.emit(name, [x], kind="moves" if name == "MaxPool" else "smooth", **given)


def global_pool(g):
    name = g.choice(["GlobalAveragePool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"])
    return g.emit(name, [image(g)], kind="moves" if name == "GlobalMaxPool" else "smooth")


def batch_norm(g, x=None):
    x = x or f32(g, lambda v: v.rank >= 2 and v.shape[1] <= 32)
    c = x.shape[1]
    parameters = [g.numbers([c], low=0.5, high=1.5), g.numbers([c]), g.numbers([c]), g.numbers([c], low=0.3, high=2)]
    return g.emit("BatchNormalization", [x, *[g.const(p) for p in parameters]], epsilon=g.choice([None, 1e-3]))


def spread(x, axes):
    """True where every group along `axes` varies: x less its mean is noise otherwise, which the division
    by a deviation near zero makes large."""
    deviation = np.std(x.array, axis=tuple(axes))
    return bool(np.all(deviation > 0.05 * np.max(np.abs(x.array), axis=tuple(axes)) + 0.01))


def normalization(g):
    choice = g.integer(0, 5)
    if choice == 0:
        x = f32(g, lambda v: v.rank >= 3 and v.size and spread(v, range(2, v.rank)))
        c = x.shape[1]
        return g.emit("InstanceNormalization", [x, g.const(g.numbers([c])), g.const(g.numbers([c]))], epsilon=g.choice([None, 1e-2]))
    if choice <= 2 and g.opset >= 17:
        x = f32(g, lambda v: v.rank >= 1 and v.size)
        written, axis = g.axis(x.rank)
        if not spread(x, range(axis, x.rank)):
            raise Skip
        shape = x.shape[axis:]
        operands = [x, g.const(g.numbers(shape))] + ([g.const(g.numbers(shape))] if g.chance(0.6) else [])
        return g.emit("LayerNormalization", operands, axis=written, epsilon=g.choice([None, 1e-3]))
    if choice == 3 and g.opset >= 21:
        x = f32(g, lambda v: v.rank >= 3 and v.size and v.shape[1] >= 2 and spread(v, range(2, v.rank)))
        c = x.shape[1]
        groups = g.choice([d for d in range(1, c + 1) if c % d == 0])
        return g.emit("GroupNormalization", [x, g.const(g.numbers([c])), g.const(g.numbers([c]))], num_groups=groups)
    if choice == 4:
        x = f32(g, lambda v: v.rank == 4 and v.size)
        return g.emit("LRN", [x], size=g.choice([1, 3, 5]), alpha=0.01, beta=g.choice([None, 0.5]), bias=g.choice([None, 2.0]))
    if g.chance(0.5):
        axes = g.choice([None, [0, 2, 3], [2, 3], [1]])
        x = f32(g, lambda v: v.rank == 4 and v.size and spread(v, axes or [0, 2, 3]))
        return g.emit("MeanVarianceNormalization", [x], axes=axes)
    x = f32(g, lambda v: v.rank >= 1 and v.size)
    written, axis = g.axis(x.rank)
    if np.any(np.max(np.abs(x.array), axis=axis) < 1e-3):
        raise Skip  # Squares of small numbers underflow in float32, and the norm is 0.
    return g.emit("LpNormalization", [x], axis=written, p=g.choice([1, 2]))


def matmul(g):
    x = f32(g, lambda v: v.rank >= 1)
    k = x.shape[-1]
    if g.chance(0.3):
        other = f32(g, lambda v: v.rank >= 1 and (v.shape[-2] if v.rank >= 2 else v.shape[0]) == k)
    else:
        n = g.integer(1, 6)
        lead = x.shape[:-2] if g.chance(0.3) else ()
        other = g.const(g.numbers([*[m if g.chance(0.7) else 1 for m in lead], k, n] if g.chance(0.9) else [k], low=-0.7, high=0.7))
    if k == 0 and (x.rank, other.rank) != (2, 2):
        raise Skip  # ONNX Runtime leaves results unwritten, or does not broadcast the leading axes.
    y = g.emit("MatMul", [x, other])
    if g.chance(0.35) and y.rank:
        return g.emit("Add", [y, g.const(g.numbers(y.shape[-1:]))])
    return y


def transposed_matmul(g):
    """x times its own transpose, scaled, and Softmax: the shape of attention."""
    x = f32(g, lambda v: v.rank >= 2 and v.size and v.size <= 1000)
    perm = list(range(x.rank))
    perm[-1], perm[-2] = perm[-2], perm[-1]
    scores = g.emit("MatMul", [x, g.emit("Transpose", [x], kind="moves", perm=perm)])
    scaled = g.emit("Mul", [scores, g.const(np.float32(0.3))])
    weights = g.emit("Softmax", [scaled], axis=-1)
    return g.emit("MatMul", [weights, x])


def gemm(g):
    # Without an inner dimension ONNX Runtime forgets beta.
    x = f32(g, lambda v: v.rank == 2 and v.size)
    trans_a, trans_b = g.integer(0, 1), g.integer(0, 1)
    m, k = x.shape[::-1] if trans_a else x.shape
    n = g.integer(1, 6)
    w = g.const(g.numbers([n, k] if trans_b else [k, n], low=-0.7, high=0.7))
    operands = [x, w]
    if g.chance(0.7):
        operands.append(g.const(g.numbers(g.choice([[n], [1, n], [m, n], [m, 1], [1], []]))))
    y = g.emit("Gemm", operands, transA=trans_a or None, transB=trans_b or None, alpha=g.choice([None, 0.5]), beta=g.choice([None, 2.0]))
    return g.emit("Relu", [y], kind="moves") if g.chance(0.3) else y


def einsum(g):
    x = f32(g, lambda v: 2 <= v.rank <= 3 and v.size)
    if x.rank == 2:
        equation = g.choice(["ij->ji", "ij,kj->ik", "ij->i", "ij,ij->", "ij->", "...j->...", "ij,kj->ki"])
    else:
        equation = g.choice(["bij->bji", "bij,bkj->bik", "bij->bi", "bij->jb", "...ij->...ji", "bij,bij->bj"])
    count = equation.split("->")[0].count(",") + 1
    return g.emit("Einsum", [x] * count, equation=equation)


REDUCTIONS = {
    "ReduceSum": None, "ReduceMean": None, "ReduceMax": None, "ReduceMin": None, "ReduceProd": within(-2, 2),
    "ReduceL1": None, "ReduceL2": None, "ReduceLogSum": within(0.05, 1e9), "ReduceLogSumExp": None, "ReduceSumSquare": None,
}


def reduce_(g):
    name = g.choice(list(REDUCTIONS))
    accept = REDUCTIONS[name] or (lambda v: True)
    if g.chance(0.25) and name in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"):
        x = g.pick(accept, (I64, I32))
        kind = "moves"
    else:
        x = g.pick_float(accept)
        kind = "moves" if name in ("ReduceMax", "ReduceMin") else "smooth"
    # ONNX Runtime keeps an empty dimension that a negative axis names: none where there is no element.
    negative = 0.4 if x.size else 0
    axes = [int(a) - (x.rank if g.chance(negative) else 0) for a in g.random.permutation(x.rank)[: g.integer(0, x.rank)]]
    given = {"keepdims": g.choice([None, 0, 1])}
    operands = [x]
    if g.opset >= (13 if name == "ReduceSum" else 18):
        if axes or g.chance(0.2):
            operands.append(g.ints(axes))
        if g.chance(0.15):
            given["noop_with_empty_axes"] = 1
            if name not in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd") and not axes:
                raise Skip
    elif axes:
        given["axes"] = axes
    return g.emit(name, operands, kind=kind, **given)


def softmax(g):
    x = f32(g, lambda v: v.rank >= 1)
    return g.emit(g.choice(["Softmax", "Softmax", "LogSoftmax"]), [x], axis=g.axis(x.rank)[0] if g.chance(0.8) else None)


def hardmax(g):
    x = f32(g, lambda v: v.rank >= 1 and v.size)
    return g.emit("Hardmax", [x], kind="steps", axis=g.axis(x.rank)[0] if g.chance(0.8) else None)


def resize(g):
    x = f32(g, lambda v: 3 <= v.rank <= 4 and v.size and v.size <= 600)
    mode = g.choice(["nearest", "linear", "cubic"])
    if x.rank != 4 and mode == "cubic":
        raise Skip
    given = {"mode": mode}
    transform = g.choice([None, "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
    given["coordinate_transformation_mode"] = transform
    if mode == "nearest":
        given["nearest_mode"] = g.choice([None, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if mode == "cubic":
        given["cubic_coeff_a"] = g.choice([None, -0.5])
        given["exclude_outside"] = g.choice([None, 1])
    spatial = x.shape[2:]
    if g.chance(0.5):
        # Quarters: coordinates then are exact and no rounding of nearest hangs on the last bit.
        scales = [1, 1, *[g.choice([0.5, 1, 1.5, 2, 2.5, 3]) for _ in spatial]]
        return g.emit("Resize", [x, None, g.const(np.array(scales, np.float32))], **given)
    sizes = [*x.shape[:2], *[g.integer(1, 2 * n + 1) for n in spatial]]
    if mode == "nearest":
        sizes = [*x.shape[:2], *[n * g.integer(1, 3) for n in spatial]]
    return g.emit("Resize", [x, None, None, g.ints(sizes)], **given)


def grid_sample(g):
    if g.opset < 16:
        raise Skip
    x = f32(g, lambda v: v.rank == 4 and v.size)
    grid = g.const(g.numbers([x.shape[0], g.integer(1, 4), g.integer(1, 4), 2], low=-1.2, high=1.2))
    linear, cubic = ("bilinear", "bicubic") if g.opset < 20 else ("linear", "cubic")
    return g.emit("GridSample", [x, grid], mode=g.choice([None, linear, cubic]), align_corners=g.choice([None, 1]),
                  padding_mode=g.choice([None, "zeros", "border", "reflection"]))


GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(g):
    x = f32(g, lambda v: v.rank == 3 and v.size and v.size <= 300)
    name = g.choice(list(GATES))
    steps, batch, width = x.shape
    hidden, direction = g.integer(1, 4), g.choice(["forward", "reverse", "bidirectional"])
    directions = 2 if direction == "bidirectional" else 1
    gates = GATES[name]
    w = g.const(g.numbers([directions, gates * hidden, width], low=-0.7, high=0.7))
    r = g.const(g.numbers([directions, gates * hidden, hidden], low=-0.7, high=0.7))
    b = g.const(g.numbers([directions, 2 * gates * hidden])) if g.chance(0.6) else None
    lengths = g.ints(g.random.integers(1, steps + 1, batch), np.int32) if g.chance(0.25) else None
    initial = g.const(g.numbers([directions, batch, hidden])) if g.chance(0.4) else None
    given = {"hidden_size": hidden, "direction": direction}
    if name == "GRU":
        given["linear_before_reset"] = g.choice([None, 1])
    return g.emit(name, [x, w, r, b, lengths, initial], 3 if name == "LSTM" else 2, **given)


OPS = [(conv, 6), (conv_transpose, 1.5), (pool, 4), (global_pool, 1), (batch_norm, 1.5), (normalization, 3), (matmul, 5),
       (transposed_matmul, 1), (gemm, 2.5), (einsum, 1), (reduce_, 5), (softmax, 2), (hardmax, 0.3), (resize, 2),
       (grid_sample, 0.5), (recurrent, 0.7)]
