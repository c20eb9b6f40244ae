"""If, Loop and Scan, with bodies made by the same builder; bodies read values of the graph around."""
import numpy as np
from onnx import helper

from .builder import Builder, Skip, constant_proto, open_shape, tensor_type

F32 = np.dtype(np.float32)
MAX_DEPTH = 2


def body_graph(body, name, inputs, outputs):
    return helper.make_graph(
        body.nodes, name, [helper.make_tensor_value_info(v.name, tensor_type(v.array), v.shape) for v in inputs],
        [helper.make_tensor_value_info(v.name, tensor_type(v.array), open_shape(v)) for v in outputs],
        [constant_proto(v) for v in body.constants.values()])


def captured(body, inner):
    """Values of the graphs around that the body's nodes, or bodies in it, read."""
    own = {v.name for v in inner} | {o for n in body.nodes for o in n.output} | set(body.constants)
    names = set()
    for node in body.nodes:
        names.update(n for n in read_names(node) if n not in own)
    around = {v.name: v for v in body.parent.visible()}
    scope = body.parent
    while scope:
        around.update(scope.constants)
        scope = scope.parent
    return [around[n] for n in sorted(names) if n in around]


def read_names(node):
    """What a node reads from around itself, through its bodies."""
    names = set(n for n in node.input if n)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            made = {i.name for i in attribute.g.input} | {i.name for i in attribute.g.initializer}
            for inner in attribute.g.node:
                names.update(read_names(inner) - made)
                made.update(inner.output)
    return names


def grow(body, count):
    from .generator import add_random_node
    for _ in range(count):
        add_random_node(body)


def computed(body):
    """A value that the body itself makes."""
    made = [v for v in body.values if any(v.name in n.output for n in body.nodes)]
    if not made:
        raise Skip
    return made


def if_(g):
    if g.depth >= MAX_DEPTH:
        raise Skip
    bodies, results, captures = {}, {}, []
    for name in ("then_branch", "else_branch"):
        body = Builder(g.random, g.opset, g)
        grow(body, g.integer(1, 4))
        results[name] = body
        bodies[name] = None
    then, other = results["then_branch"], results["else_branch"]
    first = then.choice(computed(then))
    second = [v for v in computed(other) if v.dtype == first.dtype and v.rank == first.rank]
    if not second:
        raise Skip
    for name, value in (("then_branch", first), ("else_branch", g.choice(second))):
        bodies[name] = body_graph(results[name], name, [], [value])
        captures += captured(results[name], [])
    condition = g.pick(lambda v: v.size == 1 and v.rank == 0, (np.dtype(np.bool_),)) if g.chance(0.5) else g.const(np.array(g.chance(0.5)))
    return g.emit("If", [condition], bodies=bodies, captures=captures)


def back_to(body, value, state):
    """A value of the shape and type of `state` that depends on `value` where shapes allow it."""
    if value.dtype != F32:
        value = body.emit("Cast", [value], kind="moves" if value.dtype.kind != "f" else "smooth", to=1)
    if value.shape == state.shape:
        mixed = body.emit("Add", [value, state])
    else:
        total = body.emit("ReduceMean", [value], kind="smooth", keepdims=0)
        mixed = body.emit("Add", [total, state])
    return body.emit("Tanh", [mixed])


def loop(g):
    if g.depth >= MAX_DEPTH:
        raise Skip
    initial = g.pick(lambda v: v.size <= 300 and v.size, (F32,))
    body = Builder(g.random, g.opset, g)
    turn, going = body.input(np.array(1, np.int64)), body.input(np.array(True))
    state = body.input(initial.array)
    grow(body, g.integer(1, 4))
    after = back_to(body, g.choice(computed(body)), state)
    scanned = g.choice(computed(body)) if g.chance(0.5) else None
    if g.chance(0.7):
        keep = body.emit("Identity", [going], kind="moves")
    else:
        keep = body.emit("Less", [turn, body.ints(g.integer(0, 3))], kind="steps")
    outputs = [keep, after]
    if scanned is not None:
        outputs.append(body.emit("Identity", [scanned], kind="moves"))
    graph = body_graph(body, "body", [turn, going, state], outputs)
    trips = g.ints(g.integer(0, 4) if scanned is None else g.integer(1, 4))
    condition = g.const(np.array(True)) if g.chance(0.7) else None
    results = g.emit("Loop", [trips, condition, initial], len(outputs) - 1, bodies={"body": graph},
                     captures=captured(body, [turn, going, state]))
    return results


def scan(g):
    if g.depth >= MAX_DEPTH:
        raise Skip
    sequence = g.pick(lambda v: v.rank >= 2 and v.size and v.size <= 300 and v.shape[0] <= 6, (F32,))
    body = Builder(g.random, g.opset, g)
    state = body.input(g.numbers(sequence.shape[1:]))
    element = body.input(sequence.array[0])
    body.emit("Add", [state, element])
    grow(body, g.integer(1, 3))
    after = back_to(body, g.choice(computed(body)), state)
    out = body.emit("Identity", [g.choice(computed(body))], kind="moves")
    graph = body_graph(body, "body", [state, element], [after, out])
    initial = g.const(g.numbers(sequence.shape[1:]))
    return g.emit("Scan", [initial, sequence], 2, bodies={"body": graph}, captures=captured(body, [state, element]),
                  num_scan_inputs=1, scan_input_directions=g.choice([None, [1]]))


OPS = [(if_, 1.2), (loop, 1.2), (scan, 0.5)]
