"""Octet's reference evaluation against ONNX Runtime, one operator at a time, at every version.

  onnxruntime_operators.py TEST_CONFORMANCE [--keep FOLDER] [--seed N]

Writes some 4,000 one-node models with random operands (broadcasting, negative axes, extents of zero,
every opset from 7 to 24), lets ONNX Runtime compute each, and has the test program TEST_CONFORMANCE
hold reference evaluation to the results at rtol 1e-4 and atol 1e-5. Cases in which ONNX Runtime fails
are left out. Cases that must differ, and why: tests/conformance/onnxruntime_differs.txt."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper, numpy_helper

OPSETS = range(7, 22)


def ints(*values):
    return np.array(values, np.int64)


class Cases:
    """Writes cases in the form of ONNX's node tests: OP_OPSET[_TAG]_NUMBER."""

    def __init__(self, folder, seed):
        self.folder, self.random, self.counts = pathlib.Path(folder), np.random.default_rng(seed), {}

    def floats(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def add(self, op, operands, outputs=1, opset=18, tag="", attributes=None, domain="", **more):
        """`operands`: arrays, None where omitted; attributes by name."""
        name = "_".join([op, str(opset)] + ([tag] if tag else []))
        self.counts[name] = self.counts.get(name, 0) + 1
        path = self.folder / f"{name}_{self.counts[name]}"
        # Without elements in a process of its own: ONNX Runtime ends some of these with a signal.
        child = os.fork() if tag in ("empty", "nothing") else 0
        if child != 0:
            os.waitpid(child, 0)
            return
        try:
            self.write(path, op, operands, outputs, opset, {**(attributes or {}), **more}, domain)
        except Exception:
            if domain:  # these have one version, and all of their cases are meant
                raise
        if tag in ("empty", "nothing"):
            os._exit(0)

    @staticmethod
    def write(path, op, operands, outputs, opset, attributes, domain):
        given = {f"i{i}": x for i, x in enumerate(operands) if x is not None}
        types = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
                 for name, x in given.items()]
        names = [f"i{i}" if x is not None else "" for i, x in enumerate(operands)]
        results = [f"o{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
        node = helper.make_node(op, names, results, domain=domain, **attributes)
        graph = helper.make_graph([node], "g", types,
                                  [helper.make_empty_tensor_value_info(name) for name in results if name])
        imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        model = onnx.shape_inference.infer_shapes(model)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(model.SerializeToString(), options,
                                       providers=["CPUExecutionProvider"])
        expected = session.run(None, given)
        data = path / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(model, path / "model.onnx")
        for stem, arrays in (("input", given.values()), ("output", expected)):
            for i, x in enumerate(arrays):
                (data / f"{stem}_{i}.pb").write_bytes(numpy_helper.from_array(x).SerializeToString())


def rows_and_shapes(c, o):
    """Operators whose form or default axis changed."""
    f, add = c.floats, c.add
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for axis in (0, 1, 2) + ((-1,) if o >= 11 else ()):
            add(op, [f(2, 3, 4)], opset=o, axis=axis)
        add(op, [f(2, 3, 4)], opset=o)
    for axis in range(4):
        add("Flatten", [f(2, 3, 4)], opset=o, axis=axis)
    if o < 13:
        add("Squeeze", [f(1, 3, 1)], opset=o, axes=[0])
        add("Unsqueeze", [f(2, 3)], opset=o, axes=[0, 3])
        add("ReduceSum", [f(2, 3, 4)], opset=o, axes=[1], keepdims=0)
        add("Split", [f(6, 2)], 3, opset=o)
        add("Split", [f(6, 2)], 2, opset=o, split=[2, 4])
    else:
        add("Squeeze", [f(1, 3, 1), ints(-1)], opset=o)
        add("Unsqueeze", [f(2, 3), ints(-1, 0)], opset=o)
        add("ReduceSum", [f(2, 3, 4), ints(1)], opset=o)
        add("ReduceSum", [f(2, 3)], opset=o, noop_with_empty_axes=1)
        add("Split", [f(7, 2), ints(3, 4)], 2, opset=o)
        add("Split", [f(7, 2)], 3, opset=o, attributes={"num_outputs": 3} if o >= 18 else {})
    for op in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2",
               "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"):
        x = np.abs(f(2, 3, 4)) + 0.1
        for keep in (0, 1):
            if o < 18:
                add(op, [x], opset=o, axes=[0, 2], keepdims=keep)
            else:
                add(op, [x, ints(0, 2)], opset=o, keepdims=keep)
                add(op, [x, ints()], opset=o, noop_with_empty_axes=keep)
        add(op, [x], opset=o)
    if o < 11:
        add("Clip", [f(2, 3)], opset=o, min=-0.5, max=0.3)
        for mode in ("constant", "reflect", "edge"):
            add("Pad", [f(3, 4)], opset=o, pads=[1, 2, 2, 1], mode=mode)
        add("Pad", [f(5, 6)], opset=o, pads=[-1, 2, 0, -2], value=1.5)
    else:
        add("Clip", [f(2, 3), np.array(-0.5, np.float32), np.array(0.3, np.float32)], opset=o)
        add("Clip", [f(2, 3), None, np.array(0.3, np.float32)], opset=o)
        add("Pad", [f(3, 4), ints(1, 2, 2, 1)], opset=o, mode="reflect")
        add("Pad", [f(3, 4), ints(1, -2, 2, 1), np.array(2, np.float32)], opset=o)
    if o < 10:
        add("Slice", [f(4, 5, 6)], opset=o, starts=[1, -3], ends=[100, -1], axes=[0, 2])
        add("TopK", [f(3, 7)], 2, opset=o, k=3, axis=1)
    else:
        add("Slice", [f(4, 5, 6), ints(1, -1), ints(100, -100), ints(0, 2), ints(2, -2)], opset=o)
        add("TopK", [f(3, 7), ints(3)], 2, opset=o, axis=1, attributes={"largest": 0} if o > 10 else {})
    add("Reshape", [f(2, 3, 4), ints(0, -1)], opset=o)
    add("Tile", [f(2, 3), ints(2, 2)], opset=o)
    if o >= 8:
        add("Expand", [f(3, 1), ints(2, 1, 4)], opset=o)
    add("DepthToSpace", [f(1, 8, 2, 3)], opset=o, blocksize=2,
        attributes={"mode": "CRD"} if o >= 11 else {})


def windows(c, o):
    f, add = c.floats, c.add
    for a in ({"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
              {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"},
              {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]},
              {"kernel_shape": [2, 3], "auto_pad": "VALID"}):
        x, kernel = f(1, 2, 7, 8), a["kernel_shape"]
        add("AveragePool", [x], opset=o, attributes=a)
        add("AveragePool", [x], opset=o, attributes=a, count_include_pad=1)
        add("MaxPool", [x], opset=o, attributes=a)
        add("LpPool", [x], opset=o, attributes=a, p=3)
        if o >= 8:
            add("MaxPool", [x], 2, opset=o, attributes=a, storage_order=int(c.random.integers(2)))
        free = {**a, "auto_pad": "NOTSET"}
        if o >= 10:
            add("MaxPool", [x], opset=o, attributes=free, ceil_mode=1, dilations=[2, 1])
            for counted in (0, 1):
                add("AveragePool", [x], opset=o, attributes=free, ceil_mode=1,
                    count_include_pad=counted)
        if o >= 19:
            add("AveragePool", [x], opset=o, attributes=free, dilations=[2, 1])
        if o >= 18:
            add("LpPool", [x], opset=o, attributes=free, ceil_mode=1, dilations=[2, 1])
        add("Conv", [f(1, 4, 7, 8), f(6, 2, *kernel), f(6)], opset=o, attributes=a, group=2)
        add("ConvTranspose", [f(1, 4, 5, 4), f(4, 3, *kernel), f(6)], opset=o, attributes=a, group=2)
        add("ConvTranspose", [f(1, 4, 5, 4), f(4, 3, *kernel)], opset=o, kernel_shape=kernel,
            strides=[2, 2], output_shape=[10, 9])
        add("ConvTranspose", [f(1, 4, 5, 4), f(4, 3, *kernel)], opset=o, kernel_shape=kernel,
            strides=[2, 3], output_padding=[1, 2], dilations=[2, 1])


def resizes(c, o):
    f, add = c.floats, c.add
    for scale in ((2, 1.5), (0.5, 0.7), (1.3, 2.6)):
        scales = np.array([1, 1, *scale], np.float32)
        if o < 10:
            for mode in ("nearest", "linear"):
                add("Upsample", [f(1, 2, 3, 4)] + ([scales] if o == 9 else []), opset=o, mode=mode,
                    attributes={} if o == 9 else {"scales": scales.tolist()})
            continue
        if o == 10:
            for mode in ("nearest", "linear"):
                add("Resize", [f(1, 2, 5, 6), scales], opset=o, mode=mode)
            continue
        none = np.zeros(0, np.float32) if o < 13 else None
        coordinates = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
        coordinates += ["half_pixel_symmetric"] if o >= 19 else []
        for mode in ("nearest", "linear", "cubic"):
            for coordinate in coordinates:
                a = {"mode": mode, "coordinate_transformation_mode": coordinate}
                if mode == "nearest":
                    a["nearest_mode"] = str(c.random.choice(
                        ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
                if mode == "cubic":
                    a["exclude_outside"] = int(c.random.integers(2))
                add("Resize", [f(1, 2, 5, 6), none, scales], opset=o, attributes=a)
                add("Resize", [f(1, 2, 5, 6), none, none, ints(1, 2, 7, 4)], opset=o, attributes=a)
        if o >= 18:
            for mode in ("linear", "cubic"):
                for excluded in (0, 1):
                    add("Resize", [f(1, 2, 11, 9), None, scales], opset=o, tag="antialias", mode=mode,
                        antialias=1, exclude_outside=excluded)


def elements(c, o):
    f, add, pick = c.floats, c.add, c.random.integers
    add("BatchNormalization", [f(2, 3, 4, 5), f(3), f(3), f(3), np.abs(f(3))], opset=o, epsilon=1e-3)
    add("InstanceNormalization", [f(2, 3, 4, 5), f(3), f(3)], opset=o)
    add("Gemm", [f(3, 4), f(4, 5), f(5)], opset=o, alpha=0.5, beta=2.0)
    add("Gemm", [f(4, 3), f(5, 4), f(3, 1)], opset=o, transA=1, transB=1)
    add("LRN", [f(2, 7, 3, 3)], opset=o, size=3, alpha=0.1, beta=0.6, bias=1.2)
    add("PRelu", [f(2, 3, 4), f(3, 1)], opset=o)
    add("Equal", [pick(0, 3, (3, 4)), pick(0, 3, (4,))], opset=o)
    add("Cast", [f(3, 4) * 100], opset=o, to=int(T.INT32))
    add("Cast", [-np.abs(f(3, 4)) * 3 - 1], opset=o, tag="negative", to=int(T.UINT8))
    add("ArgMax", [np.round(f(3, 5))], opset=o, axis=1, keepdims=0,
        attributes={"select_last_index": 1} if o >= 12 else {})
    add("Pow", [np.abs(f(3, 4)), f(4)], opset=o)
    if o >= 9:
        add("OneHot", [pick(-3, 4, (2, 3)), np.array(4), np.array([0.5, 2], np.float32)], opset=o)
        add("Where", [f(3, 1) > 0, f(4), f(3, 4)], opset=o)
        add("NonZero", [np.round(f(3, 4))], opset=o)
        add("Compress", [f(3, 4), np.array([1, 0, 1], bool)], opset=o, axis=0)
        add("MeanVarianceNormalization", [f(2, 3, 4, 5)], opset=o)
    if o >= 10:
        add("Mod", [pick(-9, 9, (7,)), pick(1, 5, (7,))], opset=o)
        add("Mod", [f(7), f(7)], opset=o, fmod=1)
        add("ReverseSequence", [f(4, 3, 2), ints(1, 4, 2)], opset=o)
    if o >= 11:
        add("GatherElements", [f(3, 4), pick(-3, 3, (2, 4))], opset=o, axis=0)
        add("GatherND", [f(3, 4, 5), pick(0, 3, (2, 2))], opset=o)
        add("ScatterND", [f(4, 3), ints(0, 2)[:, None], f(2, 3)], opset=o)
        add("CumSum", [f(3, 4), np.array(1)], opset=o, exclusive=1, reverse=1)
        add("Unique", [np.round(f(4, 5))], 4, opset=o, sorted=int(pick(2)))
        add("Unique", [np.round(f(6, 2))], 4, opset=o, axis=0)
        add("Det", [f(3, 4, 4)], opset=o)
    if o >= 12:
        add("Einsum", [f(2, 3, 4), f(2, 4, 5)], opset=o, equation="bij,bjk->bik")
        for reduction in ("none", "mean", "sum"):
            operands = [f(3, 4, 5), pick(0, 4, (3, 5)), c.random.random(4).astype(np.float32)]
            add("NegativeLogLikelihoodLoss", operands, opset=o, reduction=reduction, ignore_index=2)
            add("SoftmaxCrossEntropyLoss", operands, 2, opset=o, reduction=reduction, ignore_index=2)
    if o >= 16:
        for reduction in ("add", "mul") + (("min", "max") if o >= 18 else ()):
            add("ScatterElements", [f(3, 4), pick(0, 3, (2, 4)), f(2, 4)], opset=o, reduction=reduction)
        for mode in ("bilinear", "nearest", "bicubic"):
            name = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode) if o >= 20 else mode
            for padding in ("zeros", "border", "reflection"):
                add("GridSample", [f(1, 2, 5, 6), f(1, 4, 3, 2)], opset=o, mode=name,
                    padding_mode=padding, align_corners=int(pick(2)))
    if o >= 17:
        add("LayerNormalization", [f(2, 3, 4), f(3, 4), f(4)], 3, opset=o, axis=1)
    if o >= 18:
        scale = 6 if o >= 21 else 3
        add("GroupNormalization", [f(2, 6, 3), f(scale), f(scale)], opset=o, num_groups=3)


def sequences(c):
    """Recurrent layers, attention, boxes and signals: the versions that ONNX Runtime runs."""
    f, add, pick = c.floats, c.add, c.random.integers
    steps, batch, inputs, hidden = 4, 3, 3, 4
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for k in range(14):
            direction = ("forward", "reverse", "bidirectional")[k % 3]
            d = 2 if direction == "bidirectional" else 1
            state = f(d, batch, hidden) if k & 4 else None
            operands = [f(steps, batch, inputs), f(d, gates * hidden, inputs),
                        f(d, gates * hidden, hidden), f(d, 2 * gates * hidden) if k & 1 else None,
                        pick(1, steps + 1, batch).astype(np.int32) if k & 2 else None, state]
            if op == "LSTM":
                operands += [state, f(d, 3 * hidden) if k & 8 else None]
            a = {"hidden_size": hidden, "direction": direction}
            if op == "GRU":
                a["linear_before_reset"] = k % 2
            if k == 5:
                a["clip"] = 0.5
            while operands[-1] is None:
                operands.pop()
            add(op, operands, 3 if op == "LSTM" else 2, opset=14, attributes=a)
    for q, kv in ((4, 4), (4, 2), (6, 1)):
        for causal in (0, 1):
            k, v = f(2, kv, 6, 8), f(2, kv, 6, 10)
            add("Attention", [f(2, q, 5, 8), k, v], opset=23, is_causal=causal)
            add("Attention", [f(2, q, 5, 8), k, v, f(5, 6)], opset=23, is_causal=causal, softcap=2.0)
            mask = c.random.random((2, 1, 5, 6)) > 0.3
            add("Attention", [f(2, 5, q * 8), f(2, 6, kv * 8), f(2, 6, kv * 8), mask], opset=23,
                is_causal=causal, q_num_heads=q, kv_num_heads=kv, scale=0.2)
    for interleaved in (0, 1):
        add("RotaryEmbedding", [f(2, 3, 4, 8), f(2, 4, 4), f(2, 4, 4)], opset=23,
            interleaved=interleaved)
        add("RotaryEmbedding", [f(2, 4, 24), f(10, 2), f(10, 2), pick(0, 10, (2, 4))], opset=23,
            interleaved=interleaved, num_heads=3, rotary_embedding_dim=4)
    for k in range(8):
        corners = c.random.random((2, 20, 2)).astype(np.float32)
        boxes = np.concatenate([corners, corners + c.random.random((2, 20, 2)).astype(np.float32)], -1)
        scores = np.round(c.random.random((2, 3, 20)) * 8).astype(np.float32) / 8
        limits = [ints(5), np.array([0.3], np.float32), np.array([0.2], np.float32)]
        add("NonMaxSuppression", [boxes, scores] + limits, opset=11, center_point_box=k % 2)
        rois = (boxes[0, :5] * 10).astype(np.float32)
        for mode in ("avg", "max"):
            add("RoiAlign", [f(2, 3, 14, 12), rois, pick(0, 2, 5)], opset=16, output_height=3,
                output_width=2, sampling_ratio=k % 3, spatial_scale=0.5, mode=mode,
                coordinate_transformation_mode=("half_pixel", "output_half_pixel")[k % 2])
        groups = 1 + k % 2
        add("DeformConv", [f(2, 4, 7, 8), f(6, 4, 3, 2), f(2, groups * 12, 7, 9), f(6),
                           f(2, groups * 6, 7, 9)], opset=22, offset_group=groups, pads=[1, 1, 1, 1])
        add("Col2Im", [f(2, 12, 30), ints(6, 7), ints(2, 2)])
        add("CenterCropPad", [f(5, 6, 7), ints(2 + k, 7, 9)])
        add("AffineGrid", [f(2, 2, 3), ints(2, 3, 4, 5)], opset=20, align_corners=k % 2)
    # ONNX Runtime turns by float32 steps: other lengths above 12 are off by more than 1e-5.
    for length in (1, 2, 3, 5, 8, 12, 64):
        for onesided in (0, 1):
            add("DFT", [f(2, length, 1)], opset=17, axis=1, onesided=onesided)
        add("DFT", [f(2, length, 2)], opset=17, axis=1, inverse=1)
        add("DFT", [f(2, 3, length, 2), None, np.array(-2)], opset=20)
    for length, frame, step in ((20, 8, 4), (33, 7, 3), (16, 16, 1)):
        for onesided in (0, 1):
            add("STFT", [f(2, length, 1), np.array(step), f(frame)], opset=17, onesided=onesided)
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            for size in (2, 7, 10):
                add(op, [np.array(size)], opset=17, periodic=periodic)


def packed(numbers, bits):
    """Rows of small numbers as bytes, the lowest bits first."""
    per_byte = 8 // bits
    rows = np.pad(numbers, ((0, 0), (0, -numbers.shape[1] % per_byte)))
    rows = rows.reshape(rows.shape[0], -1, per_byte).astype(np.uint8)
    return (rows << np.arange(0, 8, bits, dtype=np.uint8)).sum(-1).astype(np.uint8)


def microsoft(c):
    """Operators of com.microsoft that quantized and optimized files carry, those on 8-bit integers
    aside: integer_kernels.py holds them bit for bit."""
    f, pick = c.floats, lambda low, high, shape=(): c.random.integers(low, high, shape)

    def add(op, operands, outputs=1, **more):
        c.add(op, operands, outputs, tag="microsoft", domain="com.microsoft", **more)

    for k in range(4):
        x, bias = f(2, 3, 5), f(5)
        add("Gelu", [x])
        add("BiasGelu", [x, bias])
        add("FastGelu", [x, bias] if k & 1 else [x])
        add("QuickGelu", [x], **({"alpha": 1.0} if k & 1 else {}))
    activations = [(None, []), ("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.1]),
                   ("Clip", [-0.5, 0.7]), ("HardSigmoid", [0.3, 0.4])]
    for name, numbers in activations:
        a = {"activation": name, "activation_params": numbers} if name else {}
        if name and not numbers:
            del a["activation_params"]
        x, w, bias = f(1, 4, 6, 7), f(8, 4, 3, 3), f(8)
        add("FusedConv", [x, w], attributes=a)
        add("FusedConv", [x, w, bias], attributes={**a, "pads": [1, 1, 1, 1], "strides": [2, 1]})
        add("FusedConv", [x, w, bias, f(1, 8, 4, 5)], attributes=a)
    for dtype in (np.uint8, np.int8, np.uint16, np.int16):
        info = np.iinfo(dtype)
        zero, zeros = pick(info.min, info.max), pick(info.min, info.max, 3).astype(dtype)
        scale, scales = np.array(0.03, np.float32), np.array([0.02, 0.05, 0.011], np.float32)
        add("QuantizeLinear", [f(2, 3, 4) * 3, scale, np.array(zero).astype(dtype)])
        add("QuantizeLinear", [f(2, 3, 4) * 3, scales, zeros], axis=1)
        q = pick(info.min, info.max, (2, 3, 4)).astype(dtype)
        add("DequantizeLinear", [q, scale, np.array(zero).astype(dtype)])
        add("DequantizeLinear", [q, scales, zeros], axis=-2)
    for k in range(12):
        b = pick(-127, 128, (17, 6)).astype(np.int8) if k & 1 else pick(0, 256, (17, 6)).astype(np.uint8)
        columns = (6,) if k & 2 else (1,)
        scales = c.random.uniform(0.01, 0.05, columns).astype(np.float32)
        zeros = pick(1, 9, columns).astype(b.dtype) if k % 3 else None
        add("DynamicQuantizeMatMul", [f(2, 5, 17), b, scales, zeros] + ([f(6)] if k & 4 else []))
    for bits in (2, 4, 8):
        for k, block in enumerate((16, 32, 64, 128)):
            rows, columns = (70, 9), (64, 8)
            depth, n = rows if k & 1 else columns
            blocks = -(-depth // block)
            weight = packed(pick(0, 1 << bits, (n, blocks * block)), bits).reshape(n, blocks, -1)
            scales = c.random.uniform(0.01, 0.05, n * blocks).astype(np.float32)
            a = {"K": depth, "N": n, "bits": bits, "block_size": block}
            zeros = packed(pick(0, 1 << bits, (n, blocks)), bits).reshape(-1)
            add("MatMulNBits", [f(2, 3, depth), weight, scales], attributes=a)
            add("MatMulNBits", [f(5, depth), weight, scales, zeros], attributes=a)
            add("MatMulNBits", [f(5, depth), weight, scales, zeros, None, f(n)], attributes=a)
    for k in range(4):
        x, skip, scale = f(2, 3, 8), f(2, 3, 8), f(8)
        outputs = ["y", "", "", "sum"] if k & 1 else ["y"]
        more = [f(8)] if k & 2 else []
        add("SkipLayerNormalization", [x, skip, scale, f(8)] + more, outputs, epsilon=1e-5)
        add("SkipSimplifiedLayerNormalization", [x, skip, scale] + more, outputs, epsilon=1e-5)
        c.add("SimplifiedLayerNormalization", [x, scale], opset=17, tag="microsoft", epsilon=1e-5)
        c.add("LayerNormalization", [x, scale, f(8)], opset=12, tag="microsoft", epsilon=1e-5)


def without_elements(c):
    add = c.add
    for shape in ((0, 3), (2, 0), (0,), (2, 0, 3), (0, 0)):
        x = np.zeros(shape, np.float32)
        for op in ("Relu", "Sigmoid", "Softmax", "Hardmax", "Identity", "Shape", "Size", "Erf",
                   "Transpose", "NonZero", "Flatten", "Squeeze", "IsNaN", "ArgMax", "Unique"):
            add(op, [x], tag="empty")
        for op in ("Add", "Mul", "Max", "Pow", "Greater", "PRelu", "Mean"):
            add(op, [x, np.ones(shape[-1:], np.float32)], tag="empty")
            add(op, [x, np.ones(1, np.float32)], tag="empty")
        for op in ("ReduceSum", "ReduceMax", "ReduceMean", "ReduceProd", "ReduceL2", "ReduceLogSumExp"):
            for axis in range(len(shape)):
                # What a mean of nothing is, is another case.
                nothing = op == "ReduceMean" and shape[axis] == 0 and 0 not in np.delete(shape, axis)
                add(op, [x, ints(axis)], tag="nothing" if nothing else "empty", keepdims=0)
        for axis in range(len(shape)):
            add("Concat", [x, x], tag="empty", axis=axis)
            add("Gather", [x, ints()], tag="empty", axis=axis)
            add("TopK", [x, ints(0)], 2, tag="empty", axis=axis)
            add("Slice", [x, ints(-1), ints(-9), ints(axis), ints(-1)], tag="empty")
            add("Split", [x, ints(0, shape[axis])], 2, tag="empty", axis=axis)
        add("Pad", [x, ints(*[1] * 2 * len(shape))], tag="empty")
        add("Tile", [x, ints(*[2] * len(shape))], tag="empty")
        add("Expand", [x, ints(2, *shape)], tag="empty")
    for a, b in (((0, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((5, 0, 3), (5, 3, 4)), ((0,), (0,))):
        add("MatMul", [np.zeros(a, np.float32), np.zeros(b, np.float32)], tag="empty")
    add("Gemm", [np.zeros((2, 0), np.float32), np.zeros((0, 4), np.float32), c.floats(4)], tag="empty")
    x = np.zeros((0, 3, 5, 5), np.float32)
    add("Conv", [x, c.floats(2, 3, 1, 1)], tag="empty")
    add("MaxPool", [x], tag="empty", kernel_shape=[1, 1])
    add("Resize", [x, None, np.array([1, 1, 2, 2], np.float32)], tag="empty")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--keep", help="leaves the cases in this new folder")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        cases = Cases(folder, options.seed)
        for opset in OPSETS:
            for family in (rows_and_shapes, windows, resizes, elements):
                family(cases, opset)
        sequences(cases)
        microsoft(cases)
        without_elements(cases)
        done = subprocess.run([options.program, "--gtest_filter=OperatorCases.*"],
                              env={**os.environ, "OCTET_OPERATOR_CASES": str(folder)})
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
