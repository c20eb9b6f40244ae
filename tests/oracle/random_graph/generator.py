"""A random valid model and a sample for it, from a seed and a number."""
import numpy as np
import onnx
from onnx import helper

from . import control_flow_ops, elementwise_ops, index_ops, integer_ops, microsoft_ops, network_ops, rare_ops, shape_ops
from .builder import Builder, Skip, constant_proto, finished_model, open_shape, tensor_type

FAMILIES = {
    "elementwise": elementwise_ops.OPS, "shape": shape_ops.OPS, "index": index_ops.OPS,
    "network": network_ops.OPS, "integer": integer_ops.OPS,
    "control flow": control_flow_ops.OPS, "rare": rare_ops.OPS, "microsoft": microsoft_ops.OPS,
}
RARE = (rare_ops.OPS, microsoft_ops.OPS)
OPSETS = range(13, 23)


class Case:
    """A model, and the arrays to feed by input name."""

    def __init__(self, model, feed, made=None, refused=None):
        self.model, self.feed = model, feed
        self.made, self.refused = made or {}, refused or {}


def flattened(g):
    """All operators with their weights; each graph prefers some families."""
    if g.root is not g:
        return flattened(g.root)
    if not hasattr(g, "menu"):
        items = []
        for ops in FAMILIES.values():
            taste = g.choice([0.3, 1.0, 1.0, 3.0]) * (0.2 if ops in RARE else 1) / sum(w for _, w in ops)
            items += [(maker, weight * taste * len(ops)) for maker, weight in ops]
        weights = np.array([w for _, w in items])
        g.menu = ([m for m, _ in items], np.cumsum(weights / weights.sum()))
    return g.menu


def add_random_node(g):
    """One more node or group of nodes. Raises Skip when nothing fits."""
    makers, edges = flattened(g)
    for _ in range(40):
        maker = makers[min(int(np.searchsorted(edges, g.random.random())), len(makers) - 1)]
        try:
            maker(g)
            return
        except Skip:
            continue
    raise Skip


def random_shape(g):
    rank = g.choice([0, 1, 2, 2, 3, 3, 4, 4, 4, 4, 5])
    shape = [g.integer(1, 7) for _ in range(rank)]
    # As many channels as the blocks of vectorized kernels, or about as many.
    if rank >= 3 and g.chance(0.3):
        shape = [g.integer(1, 2), g.choice([8, 9, 16, 17, 24, 32]), *shape[2:]]
        while np.prod(shape) > 2500:
            shape[-1 - int(np.argmax(shape[:1:-1]))] = 2
    if rank and g.chance(0.04):
        shape[g.integer(0, rank - 1)] = 0
    return shape


def random_input(g):
    shape = random_shape(g)
    kind = g.random.random()
    if kind < 0.75:
        return g.input(g.numbers(shape, low=-2.5, high=2.5))
    if kind < 0.85:
        return g.input(g.random.integers(-6, 7, shape).astype(g.choice([np.int64, np.int32])))
    if kind < 0.93:
        dtype = g.choice([np.uint8, np.int8])
        return g.input(g.random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype))
    return g.input(g.random.random(shape) < 0.5)


def described(g, value):
    """A graph input: its shape, or names for some of its dimensions."""
    shape = list(value.shape)
    if g.dynamic:
        shape = [f"{value.name}_{i}" if g.chance(0.6) else n for i, n in enumerate(shape)]
    return helper.make_tensor_value_info(value.name, tensor_type(value.array), shape)


def chosen_outputs(g):
    """What nobody reads, and some of the rest."""
    made = {o for n in g.nodes for o in n.output}
    found = [v for v in g.values if v.name in made]
    outputs = [v for v in found if v.uses == 0 or g.chance(0.06)]
    return outputs or found[-1:]


def constants_as_nodes(g):
    """Some constants become Constant nodes in front, the others initializers."""
    nodes, initializers = [], []
    used = {n for node in g.nodes for n in control_flow_ops.read_names(node)}
    for value in g.constants.values():
        if value.name not in used:
            continue
        if g.chance(0.15):
            nodes.append(helper.make_node("Constant", [], [value.name], value=constant_proto(value)))
        else:
            initializers.append(constant_proto(value))
    return nodes, initializers


def generate(seed, index):
    """Case number `index`: the same for the same seed, whatever ran before."""
    random = np.random.default_rng([seed, index])
    g = Builder(random, int(random.choice(list(OPSETS))))
    g.dynamic = g.chance(0.4)
    while True:
        for _ in range(g.integer(1, 3)):
            random_input(g)
        if any(v.is_float for v in g.inputs):
            break
    wanted = g.integer(5, 40)
    for _ in range(4 * wanted):
        if len(g.nodes) >= wanted:
            break
        try:
            add_random_node(g)
        except Skip:
            random_input(g)
    nodes, initializers = constants_as_nodes(g)
    outputs = chosen_outputs(g)
    graph = helper.make_graph(
        nodes + g.nodes, f"random_{seed}_{index}", [described(g, v) for v in g.inputs],
        [helper.make_tensor_value_info(v.name, tensor_type(v.array), v.shape if not g.dynamic and g.chance(0.5) else open_shape(v))
         for v in outputs], initializers)
    model = finished_model(graph, g.opset)
    onnx.checker.check_model(model)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=False)
    return Case(model, {v.name: v.array for v in g.inputs}, g.made, g.refused)
