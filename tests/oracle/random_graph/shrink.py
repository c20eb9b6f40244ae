"""Makes a failing model small: fewer outputs, values fed instead of computed, fewer nodes, as long as the
difference stays."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from .builder import PLAIN, tensor_type
from .control_flow_ops import read_names
from .generator import Case


def with_outputs(case, names, types):
    """The case with these outputs and the nodes they need."""
    graph = case.model.graph
    needed, nodes = set(names), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= read_names(node)
    inputs = [i for i in graph.input if i.name in needed] or list(graph.input)[:1]
    new = helper.make_graph(
        nodes, graph.name, inputs, [helper.make_tensor_value_info(n, types[n], None) for n in names],
        [i for i in graph.initializer if i.name in needed])
    return rebuilt(case, new, {i.name: case.feed[i.name] for i in inputs})


def rebuilt(case, graph, feed):
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.graph.CopyFrom(graph)
    return Case(model, feed)


def all_values(case):
    """Every value of the graph as ONNX Runtime computes it, unoptimized."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [o for n in model.graph.node for o in n.output if o]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names)
    session = ort.InferenceSession(model.SerializeToString(), PLAIN, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, case.feed)))


def fed_instead(case, name, array):
    """The case with `name` as an input, and without the nodes that only it needed."""
    graph = onnx.GraphProto()
    graph.CopyFrom(case.model.graph)
    producer = next((n for n in graph.node if name in n.output), None)
    if producer is None:
        return None
    if list(o for o in producer.output if o) == [name]:
        graph.node.remove(producer)
    else:
        producer.output[list(producer.output).index(name)] = f"{name}_unread"
    graph.input.append(helper.make_tensor_value_info(name, tensor_type(array), array.shape))
    types = {o.name: o.type.tensor_type.elem_type for o in graph.output}
    if name in types:
        return None
    whole = rebuilt(case, graph, {**case.feed, name: array})
    return with_outputs(whole, list(types), types)


def shrunk(case, fails, budget=150):
    """The smallest case found for which `fails(case)` is true, in at most `budget` runs."""
    tries = [0]

    def failing(candidate):
        tries[0] += 1
        if candidate is None or tries[0] > budget:
            return False
        try:
            return bool(fails(candidate))
        except Exception:  # A cut that makes the model invalid is no smaller failure.
            return False

    try:
        values = all_values(case)
    except Exception:
        return case
    types = {name: tensor_type(array) for name, array in values.items()}
    # The first value in order that fails by itself, among all values: the outputs may hide it.
    for node in case.model.graph.node:
        names = [o for o in node.output if o]
        candidate = with_outputs(case, names, types)
        if failing(candidate):
            case = candidate
            break
    else:
        for output in case.model.graph.output:
            candidate = with_outputs(case, [output.name], types)
            if failing(candidate):
                case = candidate
                break
    changed = True
    while changed and tries[0] <= budget:
        changed = False
        for node in reversed(list(case.model.graph.node)):
            for name in node.output:
                candidate = fed_instead(case, name, np.asarray(values[name])) if name in values else None
                if failing(candidate):
                    case, changed = candidate, True
                    break
    for output in list(case.model.graph.output):
        if len(case.model.graph.output) == 1:
            break
        rest = [o.name for o in case.model.graph.output if o.name != output.name]
        candidate = with_outputs(case, rest, types)
        if failing(candidate):
            case = candidate
    return case
