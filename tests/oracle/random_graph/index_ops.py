"""Operators that select elements by indices, conditions or order."""
import math

import numpy as np

from .builder import Skip
from .shape_ops import like, moved

F32 = np.dtype(np.float32)
I32, I64 = np.dtype(np.int32), np.dtype(np.int64)


def indices(g, extent, shape):
    if extent == 0:
        raise Skip
    return g.random.integers(-extent, extent, shape).astype(g.choice([np.int64, np.int64, np.int32]))


def gather(g):
    x = moved(g, lambda v: v.rank >= 1)
    written, axis = g.axis(x.rank)
    extent = x.shape[axis]
    if g.chance(0.25):
        index = g.pick(lambda v: v.rank <= 2 and v.size and v.array.min() >= -extent and v.array.max() < extent, (I64, I32))
    else:
        index = g.const(indices(g, extent, g.choice([(), (1,), (3,), (2, 2), (0,)])))
    return g.emit("Gather", [x, index], kind="moves", axis=written)


def gather_elements(g):
    x = moved(g, lambda v: v.rank >= 1 and v.size)
    written, axis = g.axis(x.rank)
    shape = [g.integer(1, n) for n in x.shape]
    shape[axis] = g.integer(1, 4)
    return g.emit("GatherElements", [x, g.const(indices(g, x.shape[axis], shape))], kind="moves", axis=written)


def gather_nd(g):
    x = moved(g, lambda v: v.rank >= 1 and v.size)
    batch = g.integer(0, x.rank - 1) if g.chance(0.3) else 0
    depth = g.integer(1, x.rank - batch)
    lead = [*x.shape[:batch], g.integer(1, 3)]
    index = np.stack([g.random.integers(-n, n, lead) for n in x.shape[batch:batch + depth]], -1).astype(np.int64)
    return g.emit("GatherND", [x, g.const(index)], kind="moves", batch_dims=batch or None)


def scatter_elements(g):
    x = moved(g, lambda v: v.rank >= 1 and v.size)
    written, axis = g.axis(x.rank)
    shape = [g.integer(1, n) for n in x.shape]
    # Without a reduction an element may be written once only: the order of writes is open.
    reduction = scatter_reduction(g, x)
    if reduction in (None, "none"):
        index = np.argsort(g.random.random([*shape[:axis], x.shape[axis], *shape[axis + 1:]]), axis)
        index = index.take(range(shape[axis]), axis)
        index = np.where(g.random.random(index.shape) < 0.3, index - x.shape[axis], index)
    else:
        index = g.random.integers(-x.shape[axis], x.shape[axis], shape)
    updates = g.const(like(g, x, shape))
    kind = "smooth" if reduction in ("add", "mul") and x.is_float else "moves"
    return g.emit("ScatterElements", [x, g.const(index.astype(np.int64)), updates], kind=kind, axis=written, reduction=reduction)


def scatter_reduction(g, x):
    if g.opset < 16 or g.chance(0.4) or x.dtype == np.bool_:
        return None
    return g.choice(["none", "add", "mul"] + (["max", "min"] if g.opset >= 18 else []))


def scatter_nd(g):
    x = moved(g, lambda v: v.rank >= 1 and v.size)
    depth = g.integer(1, x.rank)
    reduction = scatter_reduction(g, x)
    cells = [int(n) for n in x.shape[:depth]]
    count = g.integer(1, min(4, math.prod(cells)))
    if reduction in (None, "none"):
        flat = g.random.permutation(math.prod(cells))[:count]
    else:
        flat = g.random.integers(0, math.prod(cells), count)
    index = np.stack(np.unravel_index(flat, cells), -1).astype(np.int64)
    updates = g.const(like(g, x, [count, *x.shape[depth:]]))
    kind = "smooth" if reduction in ("add", "mul") and x.is_float else "moves"
    return g.emit("ScatterND", [x, g.const(index), updates], kind=kind, reduction=reduction)


def one_hot(g):
    index = g.pick(lambda v: v.rank <= 2 and v.size <= 50, (I64, I32))
    values = g.const(np.array([0.5, 2.0], g.choice([np.float32, np.int64])))
    return g.emit("OneHot", [index, g.ints(g.integer(1, 6)), values], kind="moves", axis=g.choice([None, 0, -1, index.rank]))


def nonzero(g):
    x = g.pick(lambda v: v.rank >= 1, (np.dtype(np.bool_), I64, F32))
    # A zero that is exact for one and nearly so for another cannot be seen by disturbing it.
    return g.emit("NonZero", [x], kind="exact" if x.is_float else "steps")


def compress(g):
    x = moved(g, lambda v: v.rank >= 1 and v.size)
    written, axis = g.axis(x.rank)
    n = x.size if (flat := g.chance(0.3)) else x.shape[axis]
    condition = g.const(g.random.random(g.integer(1, n)) < 0.6)
    return g.emit("Compress", [x, condition], kind="moves", axis=None if flat else written)


def topk(g):
    x = g.pick(lambda v: v.rank >= 1, (F32, F32, I64, I32))
    written, axis = g.axis(x.rank)
    if x.is_float and not distinct(x.array, axis):
        raise Skip
    k = g.integer(1, max(1, x.shape[axis]))
    values, index = g.emit("TopK", [x, g.ints([k])], 2, kind="moves", axis=written, largest=g.choice([None, 0, 1]))
    return values, index


def distinct(array, axis):
    ordered = np.sort(array, axis)
    gaps = np.diff(ordered, axis=axis)
    return not gaps.size or gaps.min() > 1e-3 * max(1.0, float(np.abs(array).max()))


def arg_extreme(g):
    x = g.pick(lambda v: v.rank >= 1 and v.size, (F32, F32, I32))
    written, _ = g.axis(x.rank)
    return g.emit(g.choice(["ArgMax", "ArgMin"]), [x], kind="steps", axis=written if g.chance(0.8) else None,
                  keepdims=g.choice([None, 0, 1]), select_last_index=g.choice([None, 1]))


def unique(g):
    x = g.pick(lambda v: v.rank >= 1 and v.size and v.exact, (F32, I64))
    axis = None if g.chance(0.5) else g.axis(x.rank)[0]
    return g.emit("Unique", [x], g.integer(1, 4), kind="exact", axis=axis, sorted=1)


OPS = [(gather, 3), (gather_elements, 1), (gather_nd, 1), (scatter_elements, 1), (scatter_nd, 1), (one_hot, 0.6),
       (nonzero, 0.6), (compress, 0.5), (topk, 1), (arg_extreme, 1), (unique, 0.4)]
