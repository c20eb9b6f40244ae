"""Quantizers, operators on 8-bit integers, and groups of float operators between quantizers."""
import numpy as np

from .builder import MICROSOFT, Skip

F32 = np.dtype(np.float32)
U8, I8, I32 = np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int32)
BYTES = (U8, I8)


def quantization(g, dtype, low=0.01, high=0.1, zero_point=None):
    """A scale and a zero point as constants."""
    info = np.iinfo(dtype)
    if zero_point is None:
        zero_point = g.integer(-20, 20) + (info.min + info.max + 1) // 2
    return [g.const(np.float32(g.random.uniform(low, high))), g.const(np.array(zero_point, dtype))]


def bytes_of(g, where=lambda v: True):
    return g.pick(where, BYTES)


def quantized(g, x, dtype):
    """x through a QuantizeLinear that covers its range: the integers and their parameters."""
    most = float(np.abs(x.array).max()) if x.size else 1.0
    parameters = quantization(g, dtype, 0.9 * max(most, 0.1) / 127, 1.1 * max(most, 0.1) / 127)
    return g.emit("QuantizeLinear", [x, *parameters], kind="steps"), parameters


def quantize_linear(g):
    x = g.pick(lambda v: v.size <= 1500, (F32,))
    return quantized(g, x, g.choice(BYTES))[0]


def quantize_per_axis(g):
    # Octet refuses a quantizer along an empty axis: it has no scale (rule Q1 of QuantParams).
    x = g.pick(lambda v: v.rank >= 1 and v.size, (F32,))
    written, axis = g.axis(x.rank)
    n, dtype = x.shape[axis], g.choice(BYTES)
    scales = g.const(g.numbers([n], low=0.01, high=0.1))
    zeros = g.const(g.random.integers(0, 20, n).astype(dtype))
    y = g.emit("QuantizeLinear", [x, scales, zeros], kind="steps", axis=written)
    return g.emit("DequantizeLinear", [y, scales, zeros], kind="moves", axis=written) if g.chance(0.5) else y


def dequantize_linear(g):
    x = g.pick(kinds=(U8, I8, U8, I8, I32))
    if x.dtype == I32:
        return g.emit("DequantizeLinear", [x, g.const(np.float32(g.random.uniform(0.01, 0.1)))], kind="moves")
    return g.emit("DequantizeLinear", [x, *quantization(g, x.dtype)], kind="moves")


def dequantize_per_axis(g):
    x = g.pick(lambda v: v.rank >= 1 and v.size, BYTES)
    written, axis = g.axis(x.rank)
    n = x.shape[axis]
    operands = [x, g.const(g.numbers([n], low=0.01, high=0.1)), g.const(g.random.integers(0, 20, n).astype(x.dtype))]
    return g.emit("DequantizeLinear", operands, kind="moves", axis=written)


def dynamic_quantize(g):
    x = g.pick(lambda v: v.size and v.exact, (F32,))
    return g.emit("DynamicQuantizeLinear", [x], 3, kind="exact")


def weights(g, shape, axis):
    """int8 weights with a scale per channel of `axis`, or one for all."""
    w = g.const(g.random.integers(-127, 128, shape).astype(np.int8))
    count = [shape[axis]] if g.chance(0.6) else []
    return [w, g.const(g.numbers(count, low=0.002, high=0.02)), g.const(np.zeros(count, np.int8))]


def qlinear_conv(g):
    x = bytes_of(g, lambda v: 3 <= v.rank <= 4 and v.size and v.shape[1] <= 32)
    channels = x.shape[1]
    group = g.choice([d for d in range(1, channels + 1) if channels % d == 0]) if g.chance(0.4) else 1
    out = g.choice([8, 16, 19, 32]) if group == 1 and g.chance(0.25) else group * g.integer(1, 3)
    kernel = [g.integer(1, min(3, n)) for n in x.shape[2:]]
    bias = [g.const(g.random.integers(-2000, 2000, out).astype(np.int32))] if g.chance(0.6) else []
    operands = [x, *quantization(g, x.dtype), *weights(g, [out, channels // group, *kernel], 0),
                *quantization(g, x.dtype, 0.02, 0.2), *bias]
    pads = [g.integer(0, k - 1) for k in kernel] * 2 if g.chance(0.5) else None
    return g.emit("QLinearConv", operands, kind="moves", group=group, pads=pads,
                  strides=[g.integer(1, 2) for _ in kernel] if g.chance(0.5) else None)


def matrix(g):
    """An operand of a product. ONNX Runtime leaves results unwritten where the inner dimension is empty."""
    return bytes_of(g, lambda v: v.rank >= 2 and v.shape[-1])


def qlinear_matmul(g):
    x = matrix(g)
    w = weights(g, [x.shape[-1], g.integer(1, 6)], 1)
    return g.emit("QLinearMatMul", [x, *quantization(g, x.dtype), *w, *quantization(g, x.dtype, 0.02, 0.2)], kind="moves")


def integer_products(g):
    if g.chance(0.5):
        x = matrix(g)
        w = g.const(g.random.integers(0, 100, [x.shape[-1], g.integer(1, 6)]).astype(g.choice(BYTES)))
        zeros = [g.const(np.array(g.integer(0, 9), x.dtype)), g.const(np.array(g.integer(0, 9), w.dtype))]
        return g.emit("MatMulInteger", [x, w, *zeros[: g.integer(0, 2)]], kind="moves")
    x = g.pick(lambda v: 3 <= v.rank <= 4 and v.size and v.shape[1] <= 32, (U8,))
    kernel = [g.integer(1, min(3, n)) for n in x.shape[2:]]
    w = g.const(g.random.integers(0, 100, [g.integer(1, 4), x.shape[1], *kernel]).astype(np.uint8))
    zeros = [g.const(np.array(g.integer(0, 9), np.uint8)) for _ in range(g.integer(0, 2))]
    return g.emit("ConvInteger", [x, w, *zeros], kind="moves", pads=[k - 1 for k in kernel] * 2 if g.chance(0.5) else None)


def same_shapes(a, b):
    try:
        return np.prod(np.broadcast_shapes(a.shape, b.shape), dtype=np.int64) <= 2000
    except ValueError:
        return False


def qlinear_binary(g):
    a = bytes_of(g)
    if g.chance(0.5):
        b = g.pick(lambda v: same_shapes(v, a), (a.dtype,))
    else:
        info = np.iinfo(a.dtype)
        shape = [n if g.chance(0.6) else 1 for n in a.shape][g.integer(0, a.rank):]
        b = g.const(g.random.integers(info.min, info.max + 1, shape).astype(a.dtype))
    operands = [a, *quantization(g, a.dtype), b, *quantization(g, a.dtype), *quantization(g, a.dtype, 0.03, 0.2)]
    return g.emit(g.choice(["QLinearAdd", "QLinearMul"]), operands, kind="moves", domain=MICROSOFT)


def qlinear_unary(g):
    x = bytes_of(g)
    name = g.choice(["QLinearSigmoid", "QLinearLeakyRelu"])
    y = quantization(g, x.dtype)
    return g.emit(name, [x, *quantization(g, x.dtype), *y], kind="moves", domain=MICROSOFT,
                  alpha=float(g.random.uniform(0.05, 0.3)) if name == "QLinearLeakyRelu" else None)


def qlinear_concat(g):
    x = bytes_of(g, lambda v: v.rank >= 1)
    _, axis = g.axis(x.rank)

    def fits(v):
        return v.rank == x.rank and all(a == b for i, (a, b) in enumerate(zip(v.shape, x.shape)) if i != axis)

    operands = quantization(g, x.dtype)
    for part in [x] + [g.pick(fits, (x.dtype,)) for _ in range(g.integer(1, 2))]:
        operands += [part, *quantization(g, x.dtype)]
    return g.emit("QLinearConcat", operands, kind="moves", domain=MICROSOFT, axis=axis)


def qlinear_pool(g):
    x = bytes_of(g, lambda v: v.rank == 4 and v.size)
    operands = [x, *quantization(g, x.dtype), *quantization(g, x.dtype)]
    if g.chance(0.5):
        return g.emit("QLinearGlobalAveragePool", operands, kind="moves", domain=MICROSOFT, channels_last=0)
    kernel = [g.integer(1, min(3, n)) for n in x.shape[2:]]
    return g.emit("QLinearAveragePool", operands, kind="moves", domain=MICROSOFT, channels_last=0, kernel_shape=kernel,
                  strides=[g.integer(1, 2) for _ in kernel])


def qgemm(g):
    x = bytes_of(g, lambda v: v.rank == 2 and v.size)
    n = g.integer(1, 6)
    bias = g.const(g.random.integers(-2000, 2000, n).astype(np.int32)) if g.chance(0.7) else None
    operands = [x, *quantization(g, x.dtype), *weights(g, [n, x.shape[1]], 0), bias]
    to_float = g.chance(0.3)
    operands += [] if to_float else quantization(g, x.dtype, 0.02, 0.2)
    return g.emit("QGemm", operands, kind="smooth" if to_float else "moves", domain=MICROSOFT, transB=1, alpha=1.0)


def matmul_to_float(g):
    x = matrix(g)
    w, scale, zero = weights(g, [x.shape[-1], g.integer(1, 6)], 1)
    x_scale, x_zero = quantization(g, x.dtype)
    operands = [x, w, x_scale, scale, x_zero, zero]
    if g.chance(0.4):
        operands.append(g.const(g.numbers([w.shape[1]])))
    return g.emit("MatMulIntegerToFloat", operands, domain=MICROSOFT)


def simulated(g, x, dtype):
    """x through QuantizeLinear and DequantizeLinear."""
    q, parameters = quantized(g, x, dtype)
    return g.emit("DequantizeLinear", [q, *parameters], kind="moves"), parameters


def between_quantizers(g):
    """Q -> DQ -> operator -> Q -> DQ, which runtimes run on integers."""
    dtype = g.choice(BYTES)
    x = g.pick(lambda v: v.size and v.size <= 1500 and v.rank >= 1, (F32,))
    a, parameters = simulated(g, x, dtype)
    choice = g.choice(["Add", "Mul", "Conv", "MatMul", "GlobalAveragePool", "AveragePool", "Sigmoid", "LeakyRelu", "Relu",
                       "MaxPool", "Reshape", "Transpose", "Concat", "Softmax", "Slice"])
    if choice in ("Add", "Mul"):
        b, _ = simulated(g, g.pick(lambda v: v.size and same_shapes(v, x), (F32,)), dtype)
        y = g.emit(choice, [a, b])
    elif choice == "Conv":
        y = simulated_conv(g, a, parameters[0])
    elif choice == "MatMul":
        w, scale, zero = weights(g, [a.shape[-1], g.integer(1, 6)], 1)
        y = g.emit("MatMul", [a, g.emit("DequantizeLinear", [w, scale, zero], kind="moves", axis=1)])
    elif choice in ("AveragePool", "MaxPool", "GlobalAveragePool"):
        if a.rank != 4:
            raise Skip
        given = {} if choice.startswith("Global") else {"kernel_shape": [min(2, n) for n in a.shape[2:]]}
        y = g.emit(choice, [a], **given)
    elif choice == "Reshape":
        y = g.emit(choice, [a, g.ints([-1, a.shape[-1]])], kind="moves")
    elif choice == "Concat":
        b, _ = simulated(g, g.pick(lambda v: v.size and v.shape[1:] == x.shape[1:] and v.rank, (F32,)), dtype)
        y = g.emit(choice, [a, b], kind="moves", axis=0)
    elif choice == "Slice":
        y = g.emit(choice, [a, g.ints([0]), g.ints([1]), g.ints([-1])], kind="moves")
    else:
        y = g.emit(choice, [a], kind="moves" if choice in ("Relu", "Transpose") else "smooth")
    if choice in ("Reshape", "Transpose", "MaxPool", "Slice") and g.chance(0.8):
        q = g.emit("QuantizeLinear", [y, *parameters], kind="steps")
        return g.emit("DequantizeLinear", [q, *parameters], kind="moves")
    return simulated(g, y, dtype)[0]


def simulated_conv(g, a, scale):
    if not 3 <= a.rank <= 4 or a.shape[1] > 32:
        raise Skip
    out = g.integer(1, 5)
    kernel = [g.integer(1, min(3, n)) for n in a.shape[2:]]
    w, w_scale, zero = weights(g, [out, a.shape[1], *kernel], 0)
    operands = [a, g.emit("DequantizeLinear", [w, w_scale, zero], kind="moves", axis=0)]
    if g.chance(0.6):
        bias = g.const(g.random.integers(-2000, 2000, out).astype(np.int32))
        bias_scale = g.const(np.broadcast_to(scale.array * w_scale.array, [out]).astype(np.float32).copy())
        bias_zero = g.const(np.zeros(out, np.int32))
        operands.append(g.emit("DequantizeLinear", [bias, bias_scale, bias_zero], kind="moves", axis=0))
    y = g.emit("Conv", operands, pads=[k // 2 for k in kernel] * 2 if g.chance(0.5) else None)
    return g.emit("Relu", [y], kind="moves") if g.chance(0.4) else y


OPS = [(quantize_linear, 3), (quantize_per_axis, 1), (dequantize_linear, 2), (dequantize_per_axis, 1), (dynamic_quantize, 0.5),
       (qlinear_conv, 2), (qlinear_matmul, 1.5), (integer_products, 1.5), (qlinear_binary, 2), (qlinear_unary, 1),
       (qlinear_concat, 0.7), (qlinear_pool, 1), (qgemm, 1), (matmul_to_float, 1), (between_quantizers, 3)]
