"""Operators of com.microsoft on floats, as quantized and optimized files carry them."""
import numpy as np

from .builder import MICROSOFT, Skip
from .integer_ops import quantization

F32 = np.dtype(np.float32)
U8, I8 = np.dtype(np.uint8), np.dtype(np.int8)


def rows(g):
    return g.pick(lambda v: v.rank >= 1 and v.size and v.shape[-1] <= 64, (F32,))


def gelu(g):
    x = rows(g)
    name = g.choice(["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
    bias = name == "BiasGelu" or (name == "FastGelu" and g.chance(0.5))
    return g.emit(name, [x] + ([g.const(g.numbers([x.shape[-1]]))] if bias else []), domain=MICROSOFT)


def fused_conv(g):
    x = g.pick(lambda v: v.rank == 4 and v.size and v.size <= 3000, (F32,))
    out, kernel = g.integer(1, 8), [g.integer(1, min(3, n)) for n in x.shape[2:]]
    w = g.const(g.numbers([out, x.shape[1], *kernel], low=-0.6, high=0.6))
    name, numbers = g.choice([("Relu", None), ("Tanh", None), ("Sigmoid", None), ("LeakyRelu", [0.2]),
                              ("Clip", [-0.5, 1.5]), ("HardSigmoid", [0.2, 0.5])])
    operands = [x, w, g.const(g.numbers([out]))]
    if g.chance(0.4):
        extents = [n - k + 1 for n, k in zip(x.shape[2:], kernel)]
        operands.append(g.const(g.numbers([x.shape[0], out, *extents])))
    return g.emit("FusedConv", operands, domain=MICROSOFT, activation=name, activation_params=numbers)


def matmul_nbits(g):
    x = rows(g)
    bits, block, n = g.choice([2, 4, 8]), g.choice([16, 32]), g.integer(1, 9)
    blocks = -(-x.shape[-1] // block)
    w = g.random.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
    operands = [x, g.const(w), g.const(g.numbers([n * blocks], low=0.01, high=0.1))]
    if g.chance(0.6):
        zeros = g.random.integers(0, 256, n * (-(-blocks * bits // 8))).astype(np.uint8)
        operands.append(g.const(zeros))
    return g.emit("MatMulNBits", operands, domain=MICROSOFT, K=x.shape[-1], N=n, bits=bits, block_size=block)


def dynamic_quantize_matmul(g):
    x = g.pick(lambda v: v.rank >= 2 and v.size and v.exact, (F32,))
    dtype, n = g.choice([U8, I8]), g.integer(1, 6)
    b = g.random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (x.shape[-1], n)).astype(dtype)
    columns = [n] if g.chance(0.5) else [1]
    operands = [x, g.const(b), g.const(g.numbers(columns, low=0.01, high=0.05)),
                g.const(g.random.integers(0, 9, columns).astype(dtype)) if g.chance(0.5) else None]
    if g.chance(0.5):
        operands.append(g.const(g.numbers([n])))
    return g.emit("DynamicQuantizeMatMul", operands, domain=MICROSOFT)


def skip_norm(g):
    x = g.pick(lambda v: v.rank == 3 and v.size and v.shape[-1] > 1, (F32,))
    skip = g.const(g.numbers(list(x.shape)))
    operands = [x, skip, g.const(g.numbers([x.shape[-1]], low=0.5, high=1.5))]
    name = g.choice(["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
    if name == "SkipLayerNormalization" and g.chance(0.7):
        operands.append(g.const(g.numbers([x.shape[-1]])))
    return g.emit(name, operands, domain=MICROSOFT, epsilon=1e-5)


def qlinear_softmax(g):
    # With int8, ONNX Runtime wraps around where the standard's quantizers saturate.
    x = g.pick(lambda v: v.rank >= 1 and v.size, (U8,))
    written, axis = g.axis(x.rank)
    if x.shape[axis] == 1:  # ONNX Runtime gives 0 where a row of one has 1: its float32 overflows
        raise Skip
    y = [g.const(np.float32(1 / 256)), g.const(np.array(0, U8))]
    return g.emit("QLinearSoftmax", [x, *quantization(g, U8, 0.01, 0.1), *y], kind="exact", domain=MICROSOFT,
                  axis=written, opset=g.choice([12, 13]))


def quantizers(g):
    x = g.pick(lambda v: v.size and v.size <= 1500, (F32,))
    dtype = np.dtype(g.choice([np.uint8, np.int8, np.uint16, np.int16]))
    parameters = quantization(g, dtype)
    y = g.emit("QuantizeLinear", [x, *parameters], kind="steps", domain=MICROSOFT)
    return g.emit("DequantizeLinear", [y, *parameters], kind="moves", domain=MICROSOFT)


OPS = [(gelu, 2), (fused_conv, 1), (matmul_nbits, 1), (dynamic_quantize_matmul, 1), (skip_norm, 1), (qlinear_softmax, 1),
       (quantizers, 1)]
