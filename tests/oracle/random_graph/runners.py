"""A case run in ONNX Runtime, plain and optimized, and in Octet; and what lies between the results."""
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime as ort

from .builder import ATOL, RTOL, session_options

LEVELS = {"plain": ort.GraphOptimizationLevel.ORT_DISABLE_ALL, "optimized": ort.GraphOptimizationLevel.ORT_ENABLE_ALL}


def in_onnxruntime(case, ways):
    """Outputs of each way, by name; a way that fails has its message instead."""
    found = {}
    data = case.model.SerializeToString()
    for way in ways:
        try:
            session = ort.InferenceSession(data, session_options(LEVELS[way]), providers=["CPUExecutionProvider"])
            names = [o.name for o in session.get_outputs()]
            found[way] = dict(zip(names, session.run(names, case.feed)))
        except Exception as error:  # pybind raises several types
            found[way] = f"{type(error).__name__}: {error}"
    return found


class Octet:
    """The program, a folder for its files, and the ways of ONNX Runtime to hold it against."""

    def __init__(self, program, folder, ways=tuple(LEVELS)):
        self.ways = ways
        self.program, self.folder = program, pathlib.Path(folder)
        self.samples = self.folder / "samples"
        self.samples.mkdir(exist_ok=True)

    def run(self, case, *options):
        """Outputs by name, or the message and exit code of a run that failed."""
        model, result = self.folder / "case.onnx", self.folder / "out.npz"
        onnx.save(case.model, model)
        np.savez(self.samples / "sample.npz", **case.feed)
        command = [self.program, "run", model, "--data", self.samples, "-o", result, "-q", "--threads", "1", *options]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            return f"exit {done.returncode}: {done.stderr.strip()}"
        with np.load(result) as arrays:
            return {name: arrays[name] for name in arrays.files}


def same(expected, actual):
    """Empty, or how two arrays differ."""
    if actual.dtype != expected.dtype:
        return f"type {actual.dtype}, not {expected.dtype}"
    if actual.shape != (expected.shape or (1,)):
        return f"shape {list(actual.shape)}, not {list(expected.shape)}"
    actual = actual.reshape(expected.shape)
    if expected.dtype.kind != "f":
        wrong = int(np.sum(actual != expected))
        return f"{wrong} of {expected.size} elements" if wrong else ""
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    near = (np.abs(a - e) <= ATOL + RTOL * np.abs(e)) | (np.isnan(a) & np.isnan(e)) | (a == e)
    if near.all():
        return ""
    if np.isnan(a).any():
        return f"{int(np.sum(~near))} of {near.size} elements, some not numbers"
    worst = np.max(np.where(near, 0, np.abs(a - e)))
    return f"{int(np.sum(~near))} of {near.size} elements, by up to {worst:.3g}"


def differences(case, octet, *options):
    """Lines, one per output that agrees with neither way of ONNX Runtime; empty where all agree. None
    where ONNX Runtime itself cannot run the model."""
    theirs = {way: out for way, out in in_onnxruntime(case, octet.ways).items() if not isinstance(out, str)}
    if not theirs:
        return None
    ours = octet.run(case, *options)
    if isinstance(ours, str):
        return [ours]
    lines = []
    for output in case.model.graph.output:
        name = output.name
        found = {way: same(out[name], ours[name]) for way, out in theirs.items()}
        if all(found.values()):
            lines.append(f"{name}: " + "; ".join(f"{text} from {way}" for way, text in found.items()))
    return lines
