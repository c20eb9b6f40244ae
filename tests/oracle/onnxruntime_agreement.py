"""Octet's interpreter against ONNX Runtime on the files that Octet writes.

  onnxruntime_agreement.py OCTET [--corpus] [--models NAME ...] [--backends NAME ...] [--samples N]

Quantizes each model for every backend from one statistics file and runs the result in both. A file
holds when 99.9 % of the elements of every output lie within one step of the output's quantizer: the
scale of the dequantize node that makes it, else the step that 8 bits over its range have.

Where ONNX Runtime computes in integers, Octet gives the same bits. Where it computes in float32 (all
products of a tensorrt file, LayerNormalization and Softmax of any), sums in another order differ in
the last bit, a value near a tie of the next quantizer falls to the other side, and deep networks
carry that on. How far, ONNX Runtime itself shows: with its graph optimizations off it runs the same
file in another order. So a file also holds when Octet is as near to ONNX Runtime as its own two ways
are to each other (SQNR, mean over the outputs, less 1.5 dB); the line then says so. Exits 1 when a file does
not hold."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

import corpus_data

BACKENDS = ("x86", "arm", "openvino", "tensorrt")
# Number formats in place of a backend's own, for the models of models/.
FORMATS = ("--weights int4", "--weights int4 --narrow-layers all --weight-granularity block:16",
           "--weight-granularity per-tensor --scales power-of-two", "--activations int16")
SHARE = 0.999
SLACK_DB = 1.5


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(c) for c in command)}\nexit {done.returncode}: {done.stderr}")
    return done.stdout


def output_steps(path):
    """Scale of the dequantize node behind each graph output, None where there is none."""
    graph = onnx.load(path).graph
    constants = {i.name: i for i in graph.initializer}
    producers = {o: n for n in graph.node for o in n.output}
    steps = []
    for output in graph.output:
        node = producers.get(output.name)
        scalar = None
        if node is not None and node.op_type == "DequantizeLinear":
            scalar = float(numpy_helper.to_array(constants[node.input[1]]).max())
        steps.append(scalar)
    return steps


def in_onnxruntime(path, samples, level):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    options.graph_optimization_level = level
    # As on ARM, where files with s8 activations belong; elsewhere they are left float by default.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    results = [session.run(None, corpus_data.feeds_for(s, names)) for s in samples]
    return [o.name for o in session.get_outputs()], names, results


def in_octet(octet, path, samples, names, folder):
    """One run per sample, so that outputs of different shapes need no stacking."""
    results = []
    for sample in samples:
        feed = corpus_data.feeds_for(sample, names)
        np.savez(folder / "sample.npz", **feed)
        run([octet, "run", path, "--data", folder / "sample.npz", "-o", folder / "out.npz", "-q"])
        results.append(dict(np.load(folder / "out.npz")))
    return results


def joined(results, key):
    return np.concatenate([r[key].ravel() for r in results])


def sqnr(a, b):
    return 10 * np.log10(np.sum(a * a) / max(np.sum((a - b) ** 2), 1e-30))


class Agreement:
    """Of one file: the least share over its outputs of elements within one step, and the mean
    margin in dB over what ONNX Runtime's two ways differ by. The mean, because the error of an
    output of few large values hangs on single elements."""

    def __init__(self, octet, path, samples, folder):
        level = ort.GraphOptimizationLevel
        outputs, names, optimized = in_onnxruntime(path, samples, level.ORT_ENABLE_ALL)
        _, _, plain = in_onnxruntime(path, samples, level.ORT_DISABLE_ALL)
        actual = in_octet(octet, path, samples, names, folder)
        self.share, margins = 1.0, []
        for k, (name, step) in enumerate(zip(outputs, output_steps(path))):
            if optimized[0][k].dtype.kind != "f":
                continue
            theirs = [joined(results, k).astype(np.float64) for results in (optimized, plain)]
            ours = joined(actual, name).astype(np.float64)
            if step is None:
                step = max(np.ptp(theirs[0]) / 255.0, 1e-6)
            # Float32 itself may differ in the last bits of the step.
            near = [float(np.mean(np.abs(t - ours) <= step * 1.001 + 1e-6)) for t in theirs]
            self.share = min(self.share, max(near))
            margins.append(max(sqnr(t, ours) for t in theirs) - sqnr(theirs[0], theirs[1]))
        self.margin = float(np.mean(margins)) if margins else 0.0

    def holds(self):
        return self.share >= SHARE or self.margin >= -SLACK_DB

    def verdict(self):
        if self.share >= SHARE:
            return "ok"
        if self.holds():
            return f"ok: {self.margin:+.1f} dB on ONNX Runtime's own two ways"
        return f"DIFFERS: {self.margin:+.1f} dB on ONNX Runtime's own two ways"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--corpus", action="store_true", help="the models of OCTET_SHARED, not those of models/")
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--backends", nargs="*", default=BACKENDS)
    args = parser.parse_args()
    models = corpus_data.corpus_models() if args.corpus else corpus_data.own_models()
    if args.corpus and not models:
        print("SKIPPED: OCTET_SHARED is not set")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model in models:
            if args.models and model.name not in args.models:
                continue
            stats = folder / "model.stats"
            run([args.octet, "calibrate", model.path, *model.calibration, "--samples", "100", "-o", stats, "-q"])
            samples = model.samples(args.samples)
            for backend in args.backends:
                quantized = folder / "model.int8.onnx"
                run([args.octet, "quantize", model.path, "--stats", stats, "--backend", backend, "-o", quantized, "-q"])
                found = Agreement(args.octet, quantized, samples, folder)
                failed += not found.holds()
                print(f"{model.name:28s} {backend:9s} {100 * found.share:8.3f} % within one step  {found.verdict()}", flush=True)
            for formats in () if args.corpus or "x86" not in args.backends else FORMATS:
                quantized = folder / "model.formats.onnx"
                run([args.octet, "quantize", model.path, "--stats", stats, "--backend", "x86", *formats.split(), "-o",
                     quantized, "-q"])
                found = Agreement(args.octet, quantized, samples, folder)
                failed += not found.holds()
                print(f"{model.name:28s} {100 * found.share:8.3f} % within one step  {found.verdict()}  x86 {formats}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
