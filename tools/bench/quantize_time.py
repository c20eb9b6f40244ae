"""Whole-process time and peak memory of `octet quantize` against ONNX Runtime's min-max quantizer (its
library call alone), in turn in one run.

  quantize_time.py OCTET [--model mobilenet_v1_075] [--samples 100] [--effort default] [--rounds 3]

Needs OCTET_SHARED. The calibration samples are float32 .npy for both; with --pictures Octet reads the
folder of JPEG pictures as well."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402


def timed(command):
    """Seconds and peak MiB of a child process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command}: status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--model", default="mobilenet_v1_075")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--effort", default="default", choices=("fast", "default"))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    model = next(m for m in corpus_data.corpus_models() if m.name == args.model)
    sys.path.insert(0, str(shared / "judge"))
    import corpus

    data, _ = corpus.Model(args.model).load("calibration")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        array, out = folder / "calibration.npy", folder / "out.onnx"
        np.save(array, np.ascontiguousarray(data[:200]))
        ours, pictures, peers, memory = [], [], [], {}
        for _ in range(args.rounds):
            seconds, memory[args.samples] = timed([args.octet, "quantize", model.path, "--data", array, "--samples",
                                                   args.samples, "--effort", args.effort, "-o", out, "-q"])
            ours.append(seconds)
            pictures.append(timed([args.octet, "quantize", model.path, *model.calibration, "--samples", args.samples,
                                   "--effort", args.effort, "-o", out, "-q"])[0])
            peer = subprocess.run([sys.executable, shared / "judge/peers/quantize_onnxruntime.py", args.model,
                                   folder / "peer.onnx", "--limit", str(args.samples)], capture_output=True, text=True,
                                  check=True)
            peers.append(json.loads(peer.stdout.strip().splitlines()[-1])["seconds"])
        for samples in (20, 200):
            memory[samples] = timed([args.octet, "quantize", model.path, "--data", array, "--samples", samples,
                                     "--effort", args.effort, "-o", out, "-q"])[1]
    print(f"octet quantize, .npy       {min(ours):6.2f} s  (whole process)")
    print(f"octet quantize, pictures   {min(pictures):6.2f} s  {min(pictures) / min(ours):.2f} of the .npy")
    print(f"ONNX Runtime min-max       {min(peers):6.2f} s  (library call); octet takes {min(ours) / min(peers):.2f} of it")
    print("peak memory               " + ", ".join(f" {m:.0f} MiB at {s} samples" for s, m in sorted(memory.items())))


if __name__ == "__main__":
    main()
