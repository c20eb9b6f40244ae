"""The formulas of compiler/numerics/integer_arithmetic.h against ONNX Runtime: operators on 8-bit
integers with random and with dyadic scales (many sums then lie on ties), bit for bit.

  integer_kernels.py OCTET [--cases N] [--seed S]

Prints a line per operator; exits 1 when an element differs."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


class Quantization:
    """A scale, dyadic in every second case, and a zero point."""

    def __init__(self, random, dtype, dyadic, zero_point=None):
        info = np.iinfo(dtype)
        self.dtype = dtype
        self.scale = np.float32(2.0 ** -random.integers(3, 7) if dyadic else random.uniform(0.005, 0.05))
        if zero_point is None:
            zero_point = random.integers(info.min, info.max + 1)
        self.zero_point = np.array(zero_point).astype(dtype)

    def operands(self):
        return [np.array(self.scale), self.zero_point]


def integers(random, dtype, shape):
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max + 1, shape).astype(dtype)


# Each case: operator, domain, operands (None where omitted), which of them are inputs, attributes.


def binary(name):
    def make(random, dtype, dyadic):
        a, b, y = (Quantization(random, dtype, dyadic) for _ in range(3))
        shape = [2, 5, 4, 6]
        other = [shape, [5, 1, 1], [6], [1]][random.integers(4)]
        y.scale = np.float32(y.scale * (16 if name == "QLinearMul" else 2))
        operands = [integers(random, dtype, shape), *a.operands(), integers(random, dtype, other), *b.operands(), *y.operands()]
        return name, MICROSOFT, operands, [0, 3], {}

    return make


def unary(name, attributes):
    def make(random, dtype, dyadic):
        x, y = Quantization(random, dtype, dyadic), Quantization(random, dtype, dyadic)
        if name == "QLinearSigmoid":
            y.scale = np.float32(1 / 256)
        operands = [integers(random, dtype, [3, 700]), *x.operands(), *y.operands()]
        return name, MICROSOFT, operands, [0], attributes

    return make


def softmax(random, dtype, dyadic):
    x = Quantization(random, dtype, dyadic)
    # With int8, ONNX Runtime wraps around above 127: 1 / 255 keeps a share of 1 at the end of the range.
    y = Quantization(random, dtype, dyadic, 0 if dtype == np.uint8 else -128)
    y.scale = np.float32(1 / 256 if dtype == np.uint8 else 1 / 255)
    axis = int(random.integers(-3, 3))
    operands = [integers(random, dtype, [4, 9, 30]), *x.operands(), *y.operands()]
    return "QLinearSoftmax", MICROSOFT, operands, [0], {"axis": axis, "opset": [12, 13][random.integers(2)]}


def concat(random, dtype, dyadic):
    y = Quantization(random, dtype, dyadic)
    operands = y.operands()
    for width in (3, 1, 5):
        x = Quantization(random, dtype, dyadic)
        operands += [integers(random, dtype, [2, width, 4, 5]), *x.operands()]
    return "QLinearConcat", MICROSOFT, operands, [2, 5, 8], {"axis": 1}


def pool(name):
    def make(random, dtype, dyadic):
        x, y = Quantization(random, dtype, dyadic), Quantization(random, dtype, dyadic)
        attributes = {"channels_last": 0}
        if name == "QLinearAveragePool":
            window = int(random.integers(2, 4))
            attributes.update(kernel_shape=[window, window], strides=[2, 1], pads=[1, 0, 1, 1])
        operands = [integers(random, dtype, [2, 7, 9, 8]), *x.operands(), *y.operands()]
        return name, MICROSOFT, operands, [0], attributes

    return make


def weights(random, shape, axis):
    channels = shape[axis]
    return [
        random.integers(-127, 128, shape).astype(np.int8),
        random.uniform(0.001, 0.01, channels).astype(np.float32),
        np.zeros(channels, np.int8),
    ]


def conv(random, dtype, dyadic):
    x, y = Quantization(random, dtype, dyadic), Quantization(random, dtype, dyadic)
    group = [1, 2, 8][random.integers(3)]
    w = weights(random, [16, 8 // group, 3, 3], 0)
    bias = random.integers(-20000, 20000, 16).astype(np.int32)
    operands = [integers(random, dtype, [1, 8, 9, 7]), *x.operands(), *w, *y.operands(), bias]
    return "QLinearConv", "", operands, [0], {"group": group, "pads": [1, 1, 1, 1], "strides": [1, 2]}


def matmul(random, dtype, dyadic):
    x, y = Quantization(random, dtype, dyadic), Quantization(random, dtype, dyadic)
    y.scale = np.float32(y.scale * 4)
    operands = [integers(random, dtype, [2, 5, 33]), *x.operands(), *weights(random, [33, 19], 1), *y.operands()]
    return "QLinearMatMul", "", operands, [0], {}


def gemm(output):
    def make(random, dtype, dyadic):
        x, y = Quantization(random, dtype, dyadic), Quantization(random, dtype, dyadic)
        y.scale = np.float32(y.scale * 4)
        bias = random.integers(-20000, 20000, 19).astype(np.int32)
        operands = [integers(random, dtype, [5, 33]), *x.operands(), *weights(random, [19, 33], 0), bias]
        operands += y.operands() if output == "integer" else []
        return "QGemm", MICROSOFT, operands, [0], {"transB": 1, "alpha": 1.0}

    return make


def matmul_to_float(random, dtype, dyadic):
    x = Quantization(random, dtype, dyadic)
    w, scales, zeros = weights(random, [33, 19], 1)
    operands = [integers(random, dtype, [2, 5, 33]), w, np.array(x.scale), scales, x.zero_point, zeros]
    if random.integers(2):
        operands.append(random.normal(size=19).astype(np.float32))
    return "MatMulIntegerToFloat", MICROSOFT, operands, [0], {}


CASES = {
    "QLinearAdd": binary("QLinearAdd"),
    "QLinearMul": binary("QLinearMul"),
    "QLinearSigmoid": unary("QLinearSigmoid", {}),
    "QLinearLeakyRelu": unary("QLinearLeakyRelu", {"alpha": 0.1}),
    "QLinearConcat": concat,
    "QLinearSoftmax": softmax,
    "QLinearAveragePool": pool("QLinearAveragePool"),
    "QLinearGlobalAveragePool": pool("QLinearGlobalAveragePool"),
    "QLinearConv": conv,
    "QLinearMatMul": matmul,
    "QGemm": gemm("integer"),
    "QGemm to float": gemm("float"),
    "MatMulIntegerToFloat": matmul_to_float,
}


def model_of(name, domain, operands, inputs, attributes):
    names = [f"x{i}" for i in range(len(operands))]
    node = helper.make_node(name, names, ["y"], domain=domain, **attributes)
    given = [
        helper.make_tensor_value_info(names[i], helper.np_dtype_to_tensor_dtype(operands[i].dtype), operands[i].shape)
        for i in inputs
    ]
    constants = [numpy_helper.from_array(a, n) for i, (n, a) in enumerate(zip(names, operands)) if i not in inputs]
    to_float = name == "MatMulIntegerToFloat" or (name == "QGemm" and len(operands) < 8)
    dtype = TensorProto.FLOAT if to_float else helper.np_dtype_to_tensor_dtype(operands[inputs[0]].dtype)
    result = helper.make_tensor_value_info("y", dtype, None)
    graph = helper.make_graph([node], "case", given, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)])
    model.ir_version = 9
    return model, {names[i]: operands[i] for i in inputs}


def differing(octet, folder, case):
    """Elements that differ, of how many."""
    model, feed = model_of(*case)
    onnx.save(model, folder / "case.onnx")
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, feed)[0]
    # octet reads a sample axis in front of every array where the model's batch is fixed: one sample.
    np.savez(folder / "sample.npz", **feed)
    command = [octet, "run", folder / "case.onnx", "--data", folder / "sample.npz", "-o", folder / "out.npz", "-q"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{case[0]}: exit {done.returncode}: {done.stderr}")
    actual = np.load(folder / "out.npz")["y"]
    return int((actual.reshape(expected.shape) != expected).sum()), expected.size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=8, help="per operator")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for operator, make in CASES.items():
            random = np.random.default_rng([args.seed, len(operator)])
            wrong, total = 0, 0
            for i in range(args.cases):
                case = make(random, np.uint8 if i % 4 < 2 else np.int8, dyadic=i % 2 == 1)
                differ, count = differing(args.octet, folder, case)
                wrong, total = wrong + differ, total + count
            failed = failed or wrong > 0
            print(f"{operator:26s} {wrong} of {total} elements differ", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
