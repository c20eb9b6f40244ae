"""Operators that move elements, and arithmetic on shapes."""
import numpy as np
from onnx import numpy_helper

from .builder import Skip

F32 = np.dtype(np.float32)
I32, I64 = np.dtype(np.int32), np.dtype(np.int64)
MOVED = (F32, F32, F32, I64, I32, np.dtype(np.uint8), np.dtype(np.bool_))


def moved(g, where=lambda v: True):
    return g.pick(where, (g.choice(MOVED),))


def factored(g, size, rank):
    """`rank` numbers whose product is `size`."""
    shape = [1] * rank
    rest = size
    for p in (2, 3, 5, 7, 11, 13):
        while rest > 1 and rest % p == 0:
            shape[g.integer(0, rank - 1)] *= p
            rest //= p
    shape[g.integer(0, rank - 1)] *= rest
    return shape


def reshape(g):
    x = moved(g)
    if x.size == 0:
        if g.opset < 14:
            raise Skip
        target = list(x.shape)
        g.random.shuffle(target)
        return g.emit("Reshape", [x, g.ints(target)], kind="moves", allowzero=1)
    target = factored(g, x.size, g.integer(1, 4))
    if g.chance(0.5):
        target[g.integer(0, len(target) - 1)] = -1
    for i, n in enumerate(target):
        if i < x.rank and n == x.shape[i] and g.chance(0.5):
            target[i] = 0
    return g.emit("Reshape", [x, g.ints(target)], kind="moves")


def flatten(g):
    x = moved(g)
    return g.emit("Flatten", [x], kind="moves", axis=g.integer(-x.rank, x.rank))


def squeeze(g):
    x = moved(g, lambda v: 1 in v.shape)
    ones = [i - (x.rank if g.chance(0.4) else 0) for i, n in enumerate(x.shape) if n == 1 and g.chance(0.7)]
    return g.emit("Squeeze", [x, g.ints(ones)] if ones else [x], kind="moves")


def unsqueeze(g):
    x = moved(g, lambda v: v.rank <= 3)
    count = g.integer(1, 2)
    rank = x.rank + count
    axes = [int(a) - (rank if g.chance(0.4) else 0) for a in g.random.permutation(rank)[:count]]
    return g.emit("Unsqueeze", [x, g.ints(axes)], kind="moves")


def transpose(g):
    x = moved(g, lambda v: v.rank >= 1)
    return g.emit("Transpose", [x], kind="moves", perm=None if g.chance(0.15) else [int(i) for i in g.random.permutation(x.rank)])


def expand(g):
    x = moved(g, lambda v: v.size <= 400)
    shape = [g.integer(1, 4) if n == 1 and g.chance(0.7) else n if g.chance(0.7) else 1 for n in x.shape]
    if g.chance(0.3):
        shape = [g.integer(1, 3), *shape]
    return g.emit("Expand", [x, g.ints(shape)], kind="moves")


def tile(g):
    x = moved(g, lambda v: 1 <= v.rank and v.size <= 400)
    return g.emit("Tile", [x, g.ints([g.integer(1, 3) if g.chance(0.6) else 1 for _ in x.shape])], kind="moves")


def concat(g):
    x = moved(g, lambda v: v.rank >= 1)
    written, axis = g.axis(x.rank)

    def fits(v):
        return v.rank == x.rank and all(a == b for i, (a, b) in enumerate(zip(v.shape, x.shape)) if i != axis)

    parts = [x] + [g.pick(fits, (x.dtype,)) for _ in range(g.integer(0, 3))]
    return g.emit("Concat", parts, kind="moves", axis=written)


def split(g):
    x = moved(g, lambda v: v.rank >= 1 and max(v.shape) >= 2)
    written, axis = g.axis(x.rank)
    extent = x.shape[axis]
    if extent < 2:
        raise Skip
    if g.chance(0.5):
        cut = g.integer(0, extent)
        return g.emit("Split", [x, g.ints([cut, extent - cut])], 2, kind="moves", axis=written)
    if g.opset >= 18:
        return g.emit("Split", [x], 2, kind="moves", axis=written, num_outputs=2)
    if extent % 2:
        raise Skip
    return g.emit("Split", [x], 2, kind="moves", axis=written)


def slice_(g):
    x = moved(g, lambda v: v.rank >= 1)
    axes = [int(a) for a in g.random.permutation(x.rank)[: g.integer(1, x.rank)]]
    starts, ends, steps = [], [], []
    for axis in axes:
        n = x.shape[axis]
        step = g.choice([1, 1, 1, 2, 3, -1, -2])
        start, end = g.integer(-n, n), g.integer(-n - 1, n + 2)
        if step < 0:
            start, end = g.integer(-1, n), g.choice([-(2**31), -n - 1, 0, -n])
        elif g.chance(0.6):
            start, end = g.integer(0, max(0, n // 2)), g.choice([n, 2**63 - 1, 2**31 - 1, -1, n - 1])
        starts.append(start), ends.append(end), steps.append(step)
    written = [a - (x.rank if g.chance(0.4) else 0) for a in axes]
    dtype = g.choice([np.int64, np.int64, np.int32])
    limit = np.iinfo(dtype).max
    operands = [g.ints(starts, dtype), g.ints([min(e, limit) for e in ends], dtype), g.ints(written, dtype)]
    if any(s != 1 for s in steps) or g.chance(0.4):
        operands.append(g.ints(steps, dtype))
    return g.emit("Slice", [x, *operands], kind="moves")


def like(g, x, shape):
    if x.dtype.kind == "f":
        return g.numbers(shape, x.dtype)
    if x.dtype == np.bool_:
        return g.random.random(shape) < 0.5
    return g.random.integers(0, 5, shape).astype(x.dtype)


def pad(g):
    x = moved(g, lambda v: v.rank >= 1 and v.dtype != np.bool_ and v.size)
    modes = ["constant", "constant", "reflect", "edge"] + (["wrap"] if g.opset >= 19 else [])
    mode = g.choice(modes)
    axes = list(range(x.rank))
    if g.opset >= 18 and g.chance(0.4):
        axes = [int(a) for a in g.random.permutation(x.rank)[: g.integer(1, x.rank)]]
    low, high = [], []
    for axis in axes:
        n = x.shape[axis]
        most = n - 1 if mode == "reflect" else n if mode == "wrap" else 2
        low.append(g.integer(0, min(2, most)) if g.chance(0.6) else 0)
        high.append(g.integer(0, min(2, most)) if g.chance(0.6) else 0)
        if mode == "constant" and n >= 3 and g.chance(0.15):
            low[-1] = -1
    operands = [x, g.ints(low + high)]
    if mode == "constant" and g.chance(0.6):
        operands.append(g.const(like(g, x, ())))
    if len(axes) < x.rank or (g.opset >= 18 and g.chance(0.2)):
        operands += [None] * (3 - len(operands)) + [g.ints([a - (x.rank if g.chance(0.4) else 0) for a in axes])]
    return g.emit("Pad", operands, kind="moves", mode=mode if mode != "constant" or g.chance(0.5) else None)


def blocks(g):
    if g.chance(0.5):
        x = g.pick_float(lambda v: v.rank == 4 and v.shape[1] % 4 == 0 and v.size)
        return g.emit("DepthToSpace", [x], kind="moves", blocksize=2, mode=g.choice([None, "DCR", "CRD"]))
    x = g.pick_float(lambda v: v.rank == 4 and v.shape[2] % 2 == 0 and v.shape[3] % 2 == 0 and v.size)
    return g.emit("SpaceToDepth", [x], kind="moves", blocksize=2)


def shape_of(g):
    x = g.pick()
    if g.chance(0.2):
        return g.emit("Size", [x], kind="steps")
    return g.emit("Shape", [x], kind="steps", **shape_range(g, x))


def shape_range(g, x):
    if g.opset < 15 or g.chance(0.5):
        return {}
    return {"start": g.integer(-x.rank - 1, x.rank), "end": g.integer(-x.rank - 1, x.rank + 1)}


def reshape_by_arithmetic(g):
    """Shape -> Gather -> arithmetic -> Concat -> Reshape, as exporters write flatten and views."""
    x = g.pick_float(lambda v: v.rank >= 2 and v.size)
    shape = g.emit("Shape", [x], kind="steps")
    keep = g.integer(1, x.rank - 1)
    kept = g.emit("Slice", [shape, g.ints([0]), g.ints([keep]), g.ints([0])], kind="moves")
    if g.chance(0.5):
        rest = g.emit("Slice", [shape, g.ints([keep]), g.ints([2**31 - 1])], kind="moves")
        rest = g.emit("ReduceProd", [rest], kind="moves", keepdims=1)
    else:
        rest = g.ints([-1])
    target = g.emit("Concat", [kept, rest], kind="moves", axis=g.choice([0, -1]))
    return g.emit("Reshape", [x, target], kind="moves")


def expand_by_arithmetic(g):
    """ConstantOfShape and Equal and Where around a shape, as exporters write expand(-1, ...)."""
    x = g.pick_float(lambda v: v.rank >= 1 and v.size <= 400)
    shape = g.emit("Shape", [x], kind="steps")
    ones = g.emit("ConstantOfShape", [g.ints([x.rank])], kind="steps", value=numpy_helper.from_array(np.array([1], np.int64)))
    wanted = g.ints([-1 if n != 1 else g.integer(1, 3) for n in x.shape])
    minus = g.emit("Mul", [ones, g.ints(-1)], kind="moves")
    free = g.emit("Equal", [wanted, minus], kind="steps")
    return g.emit("Expand", [x, g.emit("Where", [free, shape, wanted], kind="moves")], kind="moves")


def constant_of_shape(g):
    value = g.choice([None, np.array([1.5], np.float32), np.array([2], np.int64), np.array([True]), np.array([-3], np.int32)])
    value = None if value is None else numpy_helper.from_array(value)
    if g.chance(0.5):
        shape = g.pick(lambda v: v.rank == 1 and v.size <= 4 and (v.size == 0 or (v.array.min() >= 0 and v.array.prod() <= 500)), (I64,))
    else:
        shape = g.ints([g.integer(0 if g.chance(0.1) else 1, 5) for _ in range(g.integer(0, 3))])
    return g.emit("ConstantOfShape", [shape], kind="steps", value=value)


def range_(g):
    dtype = g.choice([np.int64, np.int32, np.float32])
    start, step = g.integer(-5, 5), g.choice([1, 2, -1, 3])
    limit = start + step * g.integer(0, 8) + g.integer(0, 1)
    if g.chance(0.4) and dtype == np.int64:
        size = g.emit("Size", [g.pick(lambda v: v.size <= 60)], kind="steps")
        return g.emit("Range", [g.ints(0), size, g.ints(1)], kind="steps")
    return g.emit("Range", [g.const(np.array(n, dtype)) for n in (start, limit, step)], kind="steps")


def trilu(g):
    if g.opset < 14:
        raise Skip
    x = g.pick(lambda v: v.rank >= 2, (F32, I64))
    return g.emit("Trilu", [x, g.ints(g.integer(-3, 3))] if g.chance(0.6) else [x], kind="moves", upper=g.choice([None, 0, 1]))


def reverse_sequence(g):
    x = g.pick_float(lambda v: v.rank >= 2 and v.size)
    time = g.integer(0, 1)
    lengths = g.ints(g.random.integers(1, x.shape[time] + 1, x.shape[1 - time]))
    return g.emit("ReverseSequence", [x, lengths], kind="moves", time_axis=time, batch_axis=1 - time)


def eye_like(g):
    x = g.pick(lambda v: v.rank == 2, (F32, I64))
    return g.emit("EyeLike", [x], kind="steps", k=g.integer(-2, 2), dtype=g.choice([None, 1, 7]))


def cumsum(g):
    x = g.pick(lambda v: v.rank >= 1, (F32, F32, I64, I32))
    written, _ = g.axis(x.rank)
    kind = "smooth" if x.is_float else "moves"
    return g.emit("CumSum", [x, g.const(np.array(written, g.choice([np.int64, np.int32])))], kind=kind,
                  exclusive=g.choice([None, 1]), reverse=g.choice([None, 1]))


def center_crop_pad(g):
    if g.opset < 18:
        raise Skip
    x = g.pick_float(lambda v: v.rank >= 1 and v.size)
    axes = [int(a) for a in g.random.permutation(x.rank)[: g.integer(1, x.rank)]]
    target = g.ints([g.integer(1, x.shape[a] + 3) for a in axes])
    return g.emit("CenterCropPad", [x, target], kind="moves", axes=[a - (x.rank if g.chance(0.4) else 0) for a in axes])


def dropout(g):
    return g.emit("Dropout", [g.pick_float()], kind="moves")


OPS = [(reshape, 4), (flatten, 1), (squeeze, 1.5), (unsqueeze, 1.5), (transpose, 4), (expand, 1.5), (tile, 1),
       (concat, 4), (split, 2.5), (slice_, 4), (pad, 2), (blocks, 0.6), (shape_of, 2), (reshape_by_arithmetic, 1.5),
       (expand_by_arithmetic, 0.7), (constant_of_shape, 0.7), (range_, 0.7), (trilu, 0.8), (reverse_sequence, 0.3),
       (eye_like, 0.3), (cumsum, 1), (center_crop_pad, 0.4), (dropout, 0.2)]
