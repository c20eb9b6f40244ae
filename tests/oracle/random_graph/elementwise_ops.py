"""Operators on each element, with broadcasting: unary, binary, comparisons, logic, casts."""
import numpy as np
from onnx import helper

from .builder import FLOATS, HALF, Skip

F32 = np.dtype(np.float32)
I32, I64 = np.dtype(np.int32), np.dtype(np.int64)
INTS = (I32, I64)
BOOL = (np.dtype(np.bool_),)
ANY_INT = tuple(np.dtype(t) for t in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64))


def within(low, high):
    return lambda v: v.size == 0 or (v.array.min() >= low and v.array.max() <= high)


def apart_from_zero(v):
    return v.size == 0 or np.abs(v.array).min() > 0.1


ANYWHERE = within(-1e9, 1e9)

SMOOTH = {
    "Tanh": ANYWHERE, "Sigmoid": ANYWHERE, "Exp": within(-20, 6), "Log": within(0.05, 1e9), "Sqrt": within(0.01, 1e9),
    "Erf": ANYWHERE, "Sin": within(-50, 50), "Cos": within(-50, 50), "Tan": within(-1.2, 1.2), "Atan": ANYWHERE,
    "Asin": within(-0.95, 0.95), "Acos": within(-0.95, 0.95), "Sinh": within(-6, 6), "Cosh": within(-6, 6),
    "Asinh": ANYWHERE, "Acosh": within(1.05, 1e9), "Atanh": within(-0.9, 0.9), "Softplus": ANYWHERE,
    "Softsign": ANYWHERE, "Reciprocal": apart_from_zero,
}
ALPHA = {
    "Elu": ("alpha",), "Selu": ("alpha", "gamma"), "Celu": ("alpha",), "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}


def smooth_unary(g):
    name = g.choice(list(SMOOTH))
    return g.emit(name, [g.pick_float(SMOOTH[name])])


def bounded_unary(g):
    """Operators whose results are small, so that chains stay in range."""
    return g.emit(g.choice(["Tanh", "Sigmoid", "Softsign", "Erf", "HardSwish" if g.opset >= 14 else "Atan"]), [g.pick_float()])


def parametric_unary(g):
    name = g.choice(list(ALPHA))
    given = {a: float(g.random.uniform(0.1, 1.5)) for a in ALPHA[name] if g.chance(0.6)}
    return g.emit(name, [g.pick_float()], **given)


def recent_unary(g):
    if g.opset >= 20 and g.chance(0.5):
        return g.emit("Gelu", [g.pick_float()], approximate=g.choice([None, "none", "tanh"]))
    if g.opset >= 18:
        return g.emit("Mish", [g.pick_float()])
    return g.emit("HardSwish", [g.pick_float()]) if g.opset >= 14 else g.emit("Elu", [g.pick_float()])


def stepped_float(g):
    """Continuous pieces with jumps between them: exact inputs only."""
    name = g.choice(["ThresholdedRelu", "Shrink"])
    x = g.pick_float(lambda v: v.exact)
    if name == "Shrink":
        return g.emit(name, [x], kind="exact", lambd=float(g.random.uniform(0.1, 1)), bias=float(g.choice([0, 0.5])))
    return g.emit(name, [x], kind="exact", alpha=float(g.random.uniform(0.1, 1)))


def moving_unary(g):
    name = g.choice(["Relu", "Neg", "Abs", "Identity"])
    if g.chance(0.25) and name != "Relu":
        return g.emit(name, [g.pick(kinds=INTS)], kind="moves")
    return g.emit(name, [g.pick_float()], kind="moves")


def rounding(g):
    return g.emit(g.choice(["Floor", "Ceil", "Round", "Sign"]), [g.pick_float()], kind="steps")


def is_special(g):
    return g.emit(g.choice(["IsNaN", "IsInf"]), [g.pick_float()], kind="steps")


def broadcastable(g, x, kinds, where=lambda v: True):
    """Another operand for x: a value, or a constant of a shape that broadcasts."""
    if g.chance(0.5):
        def fits(v):
            try:
                return np.prod(np.broadcast_shapes(v.shape, x.shape), dtype=np.int64) <= 4096 and where(v)
            except ValueError:
                return False
        return g.pick(fits, kinds)
    shape = list(x.shape)
    for i in range(len(shape)):
        if g.chance(0.35):
            shape[i] = 1
    for _ in range(g.integer(0, len(shape))):
        if g.chance(0.4):
            shape.pop(0)
    if g.chance(0.1):
        shape.insert(0, g.integer(1, 3))
    if x.dtype.kind == "f":
        return g.const(g.numbers(shape, x.dtype))
    return g.const(g.random.integers(1, 9, shape).astype(x.dtype))


def swapped(g, a, b):
    return [b, a] if g.chance(0.3) else [a, b]


def arithmetic(g):
    name = g.choice(["Add", "Add", "Sub", "Mul", "Mul", "Div"])
    x = g.pick_float()
    if name == "Div":
        return g.emit(name, [x, broadcastable(g, x, (x.dtype,), apart_from_zero)])
    return g.emit(name, swapped(g, x, broadcastable(g, x, (x.dtype,))))


def integer_arithmetic(g):
    name = g.choice(["Add", "Sub", "Mul", "Div", "Mod"])
    x = g.pick(kinds=INTS)
    if name in ("Div", "Mod"):
        y = broadcastable(g, x, (x.dtype,), lambda v: v.size == 0 or np.all(v.array != 0))
        if y.size and np.any(y.array == 0):
            raise Skip
        # Truncation or floor for negative numbers is what Mod's fmod and its absence say; Div truncates.
        return g.emit(name, [x, y], kind="moves", fmod=g.choice([None, 1]) if name == "Mod" else None)
    return g.emit(name, swapped(g, x, broadcastable(g, x, (x.dtype,))), kind="moves")


def float_mod(g):
    x = g.pick_float(lambda v: v.exact)
    y = broadcastable(g, x, (x.dtype,), lambda v: v.exact and apart_from_zero(v))
    if not apart_from_zero(y):
        raise Skip
    return g.emit("Mod", [x, y], kind="exact", fmod=1)


def extremes(g):
    name = g.choice(["Max", "Min"])
    x = g.pick_float() if g.chance(0.7) else g.pick(kinds=INTS)
    others = [broadcastable(g, x, (x.dtype,)) for _ in range(g.integer(0, 2))]
    return g.emit(name, [x, *others], kind="moves")


def variadic(g):
    x = g.pick_float()
    return g.emit(g.choice(["Sum", "Mean"]), [x, *[broadcastable(g, x, (x.dtype,)) for _ in range(g.integer(0, 2))]])


def power(g):
    if g.chance(0.5):
        x = g.pick_float(within(0.1, 8))
        exponent = g.const(g.random.uniform(-1.5, 2.5, x.shape[-1:] if g.chance(0.5) else ()).astype(x.dtype))
    else:
        x = g.pick_float(within(-20, 20))
        exponent = g.const(np.array(g.choice([2, 3, 1]), g.choice([x.dtype, np.dtype(np.int64), np.dtype(np.int32)])))
    return g.emit("Pow", [x, exponent])


def prelu(g):
    x = g.pick_float(lambda v: v.rank >= 1)
    shape = [n if g.chance(0.6) else 1 for n in x.shape]
    return g.emit("PRelu", [x, g.const(g.numbers(shape[g.integer(0, len(shape) - 1):], x.dtype))])


def clip(g):
    if g.chance(0.2):
        x = g.pick(kinds=INTS)
        low, high = g.const(np.array(-3, x.dtype)), g.const(np.array(g.integer(-2, 6), x.dtype))
    else:
        x = g.pick_float()
        low = g.const(np.array(g.choice([0.0, -1.0, -0.3]), x.dtype))
        high = g.const(np.array(g.choice([1.0, 6.0, 0.5]), x.dtype))
    return g.emit("Clip", [x, low if g.chance(0.8) else None, high if g.chance(0.8) else None], kind="moves")


def comparison(g):
    name = g.choice(["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
    x = g.pick(kinds=(F32, F32, I32, I64))
    return g.emit(name, swapped(g, x, broadcastable(g, x, (x.dtype,))), kind="steps")


def logic(g):
    x = g.pick(kinds=BOOL)
    if g.chance(0.3):
        return g.emit("Not", [x], kind="moves")
    y = g.pick(lambda v: can_broadcast(v, x), BOOL)
    return g.emit(g.choice(["And", "Or", "Xor"]), [x, y], kind="moves")


def can_broadcast(*values):
    try:
        return np.prod(np.broadcast_shapes(*[v.shape for v in values]), dtype=np.int64) <= 4096
    except ValueError:
        return False


def bitwise(g):
    if g.opset < 18:
        raise Skip
    x = g.pick(kinds=ANY_INT)
    if g.chance(0.25):
        return g.emit("BitwiseNot", [x], kind="moves")
    return g.emit(g.choice(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), [x, broadcastable(g, x, (x.dtype,))], kind="moves")


def bit_shift(g):
    x = g.pick(kinds=tuple(np.dtype(t) for t in (np.uint8, np.uint32, np.uint64)))
    amount = g.const(g.random.integers(0, 5, x.shape[-1:] if x.rank else ()).astype(x.dtype))
    return g.emit("BitShift", [x, amount], kind="moves", direction=g.choice(["LEFT", "RIGHT"]))


def where(g):
    condition = g.pick(kinds=BOOL)
    x = g.pick(lambda v: can_broadcast(v, condition), (F32, F32, I64, I32))
    y = g.pick(lambda v: can_broadcast(v, x, condition), (x.dtype,))
    return g.emit("Where", [condition, x, y], kind="moves")


def cast(g):
    x = g.pick()
    to = g.choice([np.float32, np.float32, np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8, np.bool_,
                   np.uint32, np.int16, np.uint16])
    to = np.dtype(to)
    if to.kind in "iu" and x.size:
        info = np.iinfo(to)
        low, high = float(x.array.min()), float(x.array.max())
        if low < max(info.min, -1e6) or high > min(info.max, 1e6):
            raise Skip
    kind = "moves" if to in FLOATS and x.dtype != np.float64 else "steps"
    if kind == "moves" and not x.exact:
        kind = "smooth"
    if to == np.bool_ and x.is_float or to == HALF or x.dtype == np.float64 and to.kind == "f":
        kind = "exact"
    if g.opset >= 15 and g.chance(0.15):
        return g.emit("CastLike", [x, g.const(np.zeros([1], to))], kind=kind)
    return g.emit("Cast", [x], kind=kind, to=helper.np_dtype_to_tensor_dtype(to))


OPS = [(smooth_unary, 5), (bounded_unary, 3), (parametric_unary, 2), (recent_unary, 1), (stepped_float, 0.5),
       (moving_unary, 3), (rounding, 1), (is_special, 0.3), (arithmetic, 10), (integer_arithmetic, 3), (float_mod, 0.4),
       (extremes, 2), (variadic, 1), (power, 1), (prelu, 0.7), (clip, 1.5), (comparison, 2), (logic, 1), (bitwise, 0.7),
       (bit_shift, 0.3), (where, 2), (cast, 3)]
