"""Octet's interpreter against ONNX Runtime on float models: those of models/ and of the corpus.

  float_agreement.py OCTET [--samples N] [--models NAME ...] [--limit R]

Prints per model the largest difference of an element of an output, relative to the largest element of
that output over the samples: by the fast kernels, by the reference ones, and between ONNX Runtime with
its graph optimizations on and off, which is how far float32 itself carries. Exits 1 when one of ours
lies above the limit, 1e-4."""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import onnxruntime as ort

import corpus_data
from onnxruntime_agreement import in_onnxruntime, run


def in_octet(octet, path, feed, folder, *options):
    (folder / "samples").mkdir(exist_ok=True)
    np.savez(folder / "samples" / "sample.npz", **feed)
    run([octet, "run", path, "--data", folder / "samples", "-o", folder / "out.npz", "-q", *options])
    with np.load(folder / "out.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def difference(actual, expected):
    """Largest difference of an element; 0 for no elements, infinite where shapes differ or for NaN."""
    if actual.shape != (expected.shape or (1,)) and actual.shape != expected.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    found = np.max(np.abs(actual.reshape(expected.shape).astype(np.float64) - expected))
    return float("inf") if np.isnan(found) else float(found)


class Truth:
    """What ONNX Runtime computes for the samples of a model."""

    def __init__(self, model, count):
        self.model, self.samples = model, model.samples(count)
        level = ort.GraphOptimizationLevel
        self.outputs, self.names, self.results = in_onnxruntime(model.path, self.samples, level.ORT_ENABLE_ALL)
        _, _, self.plain = in_onnxruntime(model.path, self.samples, level.ORT_DISABLE_ALL)
        self.largest = [max(float(np.max(np.abs(r[k]), initial=1e-30)) for r in self.results) for k in range(len(self.outputs))]

    def worst(self, results):
        """The largest relative difference of `results`, a list of outputs per sample."""
        return max(difference(actual, expected) / largest
                   for ours, theirs in zip(results, self.results)
                   for actual, expected, largest in zip(ours, theirs, self.largest))

    def octet(self, program, folder, *options, count=None):
        results = []
        for sample in self.samples[:count]:
            found = in_octet(program, self.model.path, corpus_data.feeds_for(sample, self.names), folder, *options)
            results.append([found[name] for name in self.outputs])
        return self.worst(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--limit", type=float, default=1e-4)
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model in corpus_data.own_models() + corpus_data.corpus_models():
            if args.models and model.name not in args.models:
                continue
            truth = Truth(model, args.samples)
            fast = truth.octet(args.octet, folder)
            reference = truth.octet(args.octet, folder, "--reference", count=1)
            holds = max(fast, reference) <= args.limit
            failed += not holds
            print(f"{model.name:28s} fast {fast:.1e}  reference {reference:.1e}  onnxruntime's two ways "
                  f"{truth.worst(truth.plain):.1e}{'' if holds else '  DIFFERS'}", flush=True)
    if corpus_data.shared_folder() is None:
        print("the corpus was not measured: OCTET_SHARED is not set")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
