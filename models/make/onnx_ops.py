"""The operators of `jax_ops.JaxOps`, written as nodes of an ONNX graph instead of executed."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from jax_ops import BN_EPSILON

OPSET = 17
IR_VERSION = 8


class OnnxOps:
    """Tensors are names. A parameter asked for twice is one initializer with two consumers."""

    def __init__(self, params, stats):
        self.values = {k: np.asarray(v) for k, v in {**params, **stats}.items()}
        self.nodes, self.initializers, self.counts = [], {}, {}

    def node(self, op, inputs, output=None, **attributes):
        index = self.counts.get(op, 0)
        self.counts[op] = index + 1
        output = output or f"{op}_{index}_out"
        self.nodes.append(helper.make_node(op, inputs, [output], f"{op}_{index}", **attributes))
        return output

    def initializer(self, name, value):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def param(self, name, shape=None, std=0.0, mean=0.0):
        return self.initializer(name, self.values[name])

    def constant(self, value):
        """A Constant node rather than an initializer: what exporters make of Python scalars."""
        return self.node("Constant", [], value=numpy_helper.from_array(np.asarray(value)))

    def operand(self, x):
        return x if isinstance(x, str) else self.constant(np.float32(x))

    # Convolutional layers

    def conv(self, x, name, cin, cout, kernel, stride=1, pads=None, groups=1, bias=None):
        inputs = [x, self.param(f"{name}.weight")]
        if bias is not None:
            inputs.append(self.param(f"{name}.bias"))
        return self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=list(pads or (kernel // 2,) * 4), dilations=[1, 1], group=groups)

    def batch_norm(self, x, name, channels, scale=1.0):
        fields = ("weight", "bias", "running_mean", "running_var")
        inputs = [x] + [self.param(f"{name}.{field}") for field in fields]
        return self.node("BatchNormalization", inputs, epsilon=BN_EPSILON)

    def relu(self, x):
        return self.node("Relu", [x])

    def clip(self, x, low, high):
        bounds = [self.initializer(f"clip.{kind}", np.float32(value))
                  for kind, value in (("min", low), ("max", high))]
        return self.node("Clip", [x] + bounds)

    def max_pool(self, x, kernel):
        return self.node("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[kernel] * 2)

    def avg_pool(self, x, kernel, stride, pad=0):
        return self.node("AveragePool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[pad] * 4, count_include_pad=0)

    def global_avg_pool(self, x):
        return self.node("GlobalAveragePool", [x])

    def flatten(self, x):
        return self.node("Flatten", [x], axis=1)

    def gemm(self, x, name, cin, cout):
        # Only graph outputs are Gemms in these models, so the output name is fixed.
        inputs = [x, self.param(f"{name}.weight"), self.param(f"{name}.bias")]
        return self.node("Gemm", inputs, "logits", alpha=1.0, beta=1.0, transB=1)

    # Primitives

    def matmul(self, a, b):
        return self.node("MatMul", [a, b])

    def add(self, a, b):
        return self.node("Add", [self.operand(a), self.operand(b)])

    def sub(self, a, b):
        return self.node("Sub", [self.operand(a), self.operand(b)])

    def mul(self, a, b):
        return self.node("Mul", [self.operand(a), self.operand(b)])

    def div(self, a, b):
        return self.node("Div", [self.operand(a), self.operand(b)])

    def pow(self, a, b):
        return self.node("Pow", [self.operand(a), self.operand(b)])

    def sqrt(self, x):
        return self.node("Sqrt", [x])

    def erf(self, x):
        return self.node("Erf", [x])

    def softmax(self, x):
        return self.node("Softmax", [x], axis=-1)

    def reduce_mean(self, x, axis, keepdims):
        return self.node("ReduceMean", [x], axes=[axis], keepdims=int(keepdims))

    def reduce_max(self, x, axis, output):
        return self.node("ReduceMax", [x], output, axes=[axis], keepdims=0)

    def concat(self, xs, axis, output=None):
        return self.node("Concat", xs, output, axis=axis)

    def transpose(self, x, perm):
        return self.node("Transpose", [x], perm=list(perm))

    def reshape(self, x, dims):
        shape = np.array((0,) + tuple(dims), np.int64)
        name = "shape." + "_".join(str(d) for d in dims)
        return self.node("Reshape", [x, self.initializer(name, shape)])

    def reshape_by_shape_subgraph(self, x, dims):
        """Batch size read at run time through Shape-Gather-Unsqueeze-Concat, as exporters do."""
        batch = self.node("Gather", [self.node("Shape", [x]), self.constant(np.int64(0))], axis=0)
        parts = [self.node("Unsqueeze", [batch, self.constant(np.array([0], np.int64))])]
        parts += [self.constant(np.array([d], np.int64)) for d in dims]
        return self.node("Reshape", [x, self.node("Concat", parts, axis=0)])


def export(recipe, params, stats):
    """The trained model as a checked ModelProto with a dynamic batch dimension named N."""
    ops = OnnxOps(params, stats)
    recipe.forward(ops, "input")

    def value(name, dims):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *dims])

    graph = helper.make_graph(
        ops.nodes, recipe.name, [value("input", recipe.input_shape)],
        [value(name, dims) for name, dims in recipe.outputs.items()],
        list(ops.initializers.values()))
    model = helper.make_model(graph, producer_name="octet-models", ir_version=IR_VERSION,
                              opset_imports=[helper.make_opsetid("", OPSET)])
    onnx.checker.check_model(model, full_check=True)
    return model
