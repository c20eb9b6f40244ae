"""A graph that grows node by node. Every node is run in ONNX Runtime as it is added, so the builder
knows each value's elements: operators get attributes that are valid, and a node joins only where its
result is well conditioned.

A value is exact when every right implementation computes the same bits: inputs, integers, and what
only moves, compares or selects exact elements. What is not exact also carries a shadow: its elements
computed from inputs that were disturbed by a few units in the last place, through all the nodes
before it. A node whose shadow lies further than a quarter of the tolerance from its result would
amplify rounding into a difference, and is refused. Operators with steps (comparisons, casts to
integers, ArgMax) take exact inputs, or inputs at which no step is near."""
import numpy as np
import onnxruntime as ort
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"
RTOL, ATOL = 1e-4, 1e-5
MAX_ELEMENTS = 6000
MAX_MAGNITUDE = 5000.0
MAX_INTEGER = 1 << 22
NOISE = 2.0**-21
STEP_NOISE = 2e-3

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
HALF = np.dtype(np.float16)

ort.set_default_logger_severity(4)
ort.set_default_logger_verbosity(0)


def session_options(level):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    # As on ARM, where files with s8 activations belong; elsewhere they are left float by default.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return options


PLAIN = session_options(ort.GraphOptimizationLevel.ORT_DISABLE_ALL)


class Skip(Exception):
    """This operator does not fit here; another is tried."""


class Value:
    """A tensor of the graph and its elements."""

    def __init__(self, name, array, exact, shadow=None, constant=False):
        self.name, self.array, self.exact, self.shadow, self.constant = name, array, exact, shadow, constant
        self.uses = 0

    @property
    def shape(self):
        return self.array.shape

    @property
    def rank(self):
        return self.array.ndim

    @property
    def size(self):
        return self.array.size

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def is_float(self):
        return self.dtype in FLOATS


def tensor_type(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def open_shape(value):
    """As many dimensions as the value has, by names that nothing else has."""
    return [f"{value.name}_{i}" for i in range(value.rank)]


def disturbed(random, array, noise):
    """`array` with noise relative to each element."""
    return (array * (1 + noise * random.uniform(-1, 1, array.shape))).astype(array.dtype)


def near_everywhere(a, b, share):
    """True where a and b differ by at most `share` of the tolerance."""
    return bool(np.all(np.abs(a - b) <= share * (ATOL + RTOL * np.abs(a))))


class Builder:
    """`values` can be read by the next node; `nodes` and `constants` are the graph so far. A builder
    with a parent makes the body of a control flow node and sees the parent's values too."""

    def __init__(self, random, opset, parent=None):
        self.random, self.opset, self.parent = random, opset, parent
        self.nodes, self.inputs, self.values, self.constants = [], [], [], {}
        self.root = parent.root if parent else self
        self.depth = parent.depth + 1 if parent else 0
        self.captured = []
        if not parent:
            self.names = 0
            self.made, self.refused = {}, {}

    # Names and values.

    def fresh(self, prefix):
        self.root.names += 1
        return f"{prefix}{self.root.names}"

    def input(self, array):
        value = Value(self.fresh("x"), np.asarray(array), exact=True)
        self.inputs.append(value)
        self.values.append(value)
        return value

    def const(self, array):
        """A constant the graph holds, visible to the node that asked for it."""
        value = Value(self.fresh("c"), np.asarray(array), exact=True, constant=True)
        self.constants[value.name] = value
        return value

    def ints(self, numbers, dtype=np.int64):
        return self.const(np.array(numbers, dtype))

    # Chance.

    def chance(self, probability):
        return self.random.random() < probability

    def integer(self, low, high):
        """In low..high, both included."""
        return int(self.random.integers(low, high + 1))

    def choice(self, items):
        return items[int(self.random.integers(len(items)))]

    def axis(self, rank):
        """An axis of `rank`, often counted from the end: as written, and as it is."""
        if rank == 0:
            raise Skip
        axis = self.integer(0, rank - 1)
        return (axis - rank if self.chance(0.4) else axis), axis

    def numbers(self, shape, dtype=np.float32, low=-2.0, high=2.0):
        return self.random.uniform(low, high, shape).astype(dtype)

    def visible(self):
        return self.values + (self.parent.visible() if self.parent else [])

    def pick(self, where=lambda v: True, kinds=None):
        """A value for an operand: mostly a recent or an unread one."""
        fits = [v for v in self.visible() if (kinds is None or v.dtype in kinds) and where(v)]
        if not fits:
            raise Skip
        if self.chance(0.5):
            unread = [v for v in fits if v.uses == 0]
            fits = unread or fits
        elif self.chance(0.6):
            fits = fits[-6:]
        return self.choice(fits)

    def pick_float(self, where=lambda v: True):
        if self.chance(0.95):
            return self.pick(where, (np.dtype(np.float32),))
        return self.pick(where, FLOATS)

    # Nodes.

    def emit(self, op, inputs, outputs=1, kind="smooth", domain="", bodies=None, captures=(), **attributes):
        """Adds a node and returns its outputs (a list where there are several). `kind`:
        smooth: floats come out that rounding may change; moves: outputs are exact where inputs are;
        steps: outputs are exact, and must not change near the inputs; exact: refuses inputs that
        are not exact. Raises Skip where the node is refused."""
        attributes = {k: v for k, v in attributes.items() if v is not None}
        names = [self.fresh("v") for _ in range(outputs)]
        node = helper.make_node(op, [v.name if v else "" for v in inputs], names, domain=domain, **attributes)
        for body_name, body in (bodies or {}).items():
            node.attribute.append(helper.make_attribute(body_name, body))
        operands = {v.name: v for v in [*inputs, *captures] if v is not None}
        key = f"{domain}.{op}" if domain else op
        try:
            results = self._evaluate(node, operands, kind)
        except Skip:
            self.root.refused[key] = self.root.refused.get(key, 0) + 1
            raise
        self.root.made[key] = self.root.made.get(key, 0) + 1
        self.nodes.append(node)
        for value in operands.values():
            value.uses += 1
        self.values.extend(results)
        return results if outputs > 1 else results[0]

    def _session(self, node, operands):
        fed = [v for v in operands.values() if not v.constant]
        graph = helper.make_graph(
            [node], "node",
            [helper.make_tensor_value_info(v.name, tensor_type(v.array), v.shape) for v in fed],
            [helper.make_empty_tensor_value_info(n) for n in node.output],
            [numpy_helper.from_array(v.array, v.name) for v in operands.values() if v.constant])
        model = finished_model(graph, self.opset)
        try:
            return ort.InferenceSession(model.SerializeToString(), PLAIN, providers=["CPUExecutionProvider"]), fed
        except Exception as error:  # ONNX Runtime has no kernel for these types, or a check of its own.
            self.root.last_error = f"{node.op_type}: {error}"
            raise Skip from error

    def _evaluate(self, node, operands, kind):
        session, fed = self._session(node, operands)

        def run(feed):
            try:
                return session.run(None, feed)
            except Exception as error:
                self.root.last_error = f"{node.op_type}: {error}"
                raise Skip from error

        results = run({v.name: v.array for v in fed})
        for array in results:
            check_range(array)
        inexact = [v for v in fed if not v.exact]
        if kind == "exact" and inexact:
            raise Skip
        exact = not inexact if kind in ("moves", "exact") else kind == "steps"
        if kind == "steps" and inexact:
            self._check_steps(run, fed, results)
        shadows = [None] * len(results)
        if not exact and any(r.dtype in FLOATS for r in results):
            feed = {v.name: self._shadow(v, kind) for v in fed}
            shadows = self._shadows(run(feed), results, kind)
        exacts = [exact or r.dtype not in FLOATS for r in results]
        return [Value(n, r, e, None if e else s) for n, r, e, s in zip(node.output, results, exacts, shadows)]

    def _shadow(self, value, kind):
        array = value.array if value.exact else value.shadow
        return disturbed(self.random, array, NOISE) if value.is_float and kind == "smooth" else array

    def _shadows(self, computed, results, kind):
        shadows = []
        for shadow, result in zip(computed, results):
            if shadow.shape != result.shape:
                raise Skip
            if result.dtype not in FLOATS:
                if not np.array_equal(shadow, result):
                    raise Skip
            else:
                if kind == "smooth":
                    shadow = disturbed(self.random, shadow, NOISE)
                if not near_everywhere(result, shadow, 0.25):
                    raise Skip
            shadows.append(shadow)
        return shadows

    def _check_steps(self, run, fed, results):
        for i in range(8):
            noise = STEP_NOISE * (1 if i % 2 else 0.1)
            feed = {}
            for value in fed:
                array = value.array
                if value.is_float and not value.exact and array.size:
                    scale = np.abs(array) + 0.05 * np.max(np.abs(array))
                    array = (array + noise * scale * self.random.uniform(-1, 1, array.shape)).astype(array.dtype)
                feed[value.name] = array
            for a, b in zip(run(feed), results):
                if a.shape != b.shape or not np.array_equal(a, b):
                    raise Skip


def check_range(array):
    if array.size > MAX_ELEMENTS:
        raise Skip
    if array.size == 0 or array.dtype == np.bool_:
        return
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)) or np.max(np.abs(array)) > MAX_MAGNITUDE:
            raise Skip
    elif array.dtype.itemsize >= 4 and np.any((array > MAX_INTEGER) | (array < -MAX_INTEGER if array.dtype.kind == "i" else False)):
        raise Skip


def finished_model(graph, opset):
    ir_version = 8 if opset < 19 else 9 if opset < 21 else 10
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)],
                             ir_version=ir_version)


def constant_proto(value):
    return numpy_helper.from_array(value.array, value.name)

