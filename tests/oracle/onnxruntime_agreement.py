"""Octet's interpreter against ONNX Runtime on the files that Octet writes.

  onnxruntime_agreement.py OCTET [--corpus] [--models NAME ...] [--samples N] [--hold BACKEND ...]

Quantizes each model for every backend from one statistics file, runs the result in both, and holds
99.9 % of the elements of every output to one step of the output's quantizer: the scale of the
dequantize node that makes it, else the step that 8 bits over its range have. Prints a line per file;
exits 1 when one of the held backends (x86 and arm: those made for ONNX Runtime) does not hold. Octet
computes products in float32 and ONNX Runtime in integers: on deep networks a value near a tie rounds
the other way in one of them, and what follows differs."""
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
SHARE = 0.999


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


def in_onnxruntime(path, samples):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
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


def agreement(octet, path, samples, folder):
    """The least share over the outputs of elements within one step."""
    outputs, names, expected = in_onnxruntime(path, samples)
    actual = in_octet(octet, path, samples, names, folder)
    worst = 1.0
    for k, (name, step) in enumerate(zip(outputs, output_steps(path))):
        a = [e[k].ravel() for e in expected]
        b = [r[name].ravel() for r in actual]
        if a[0].dtype.kind != "f":
            continue
        a, b = np.concatenate(a).astype(np.float64), np.concatenate(b).astype(np.float64)
        if step is None:
            step = max(np.ptp(a) / 255.0, 1e-6)
        # Float32 itself may differ in the last bits of the step.
        worst = min(worst, float(np.mean(np.abs(a - b) <= step * 1.001 + 1e-6)))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--corpus", action="store_true", help="the models of OCTET_SHARED, not those of models/")
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--hold", nargs="*", default=["x86", "arm"])
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
            for backend in BACKENDS:
                quantized = folder / "model.int8.onnx"
                run([args.octet, "quantize", model.path, "--stats", stats, "--backend", backend, "-o", quantized, "-q"])
                share = agreement(args.octet, quantized, samples, folder)
                verdict = "ok" if share >= SHARE else "DIFFERS"
                failed += verdict != "ok" and backend in args.hold
                print(f"{model.name:28s} {backend:9s} {100 * share:8.3f} % within one step  {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
