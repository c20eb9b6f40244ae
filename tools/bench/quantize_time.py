"""Whole-process time and peak memory of `octet quantize` on the samples as float32 .npy and on the folder
of JPEG pictures with --preprocess, against ONNX Runtime's min-max quantizer (its library call alone,
on the .npy), in turn in one run; and how far the file made from the pictures is from the other.

  quantize_time.py OCTET [--model mobilenet_v1_075] [--samples 100] [--effort fast] [--rounds 5]

Needs OCTET_SHARED. Times are the least of all rounds. Exit status 1 when a promise is missed: half of
ONNX Runtime's time and 300 MiB (--effort fast), 6 s and 700 MiB (--effort default, mobilenet_v1_075 on
2 cores); memory within 5 % at 20 and 200 samples (medians of the rounds: a run whose two threads reach
their peaks at once takes a tenth more); pictures within 0.1 dB of the .npy (worst output,
ONNX Runtime's judge) in at most 1.5 times its time."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402


# Linux counts a parent's memory into the peak of what it starts, so a small process starts Octet.
STARTER = """
import resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
if done.returncode != 0:
    raise SystemExit(done.stderr.decode())
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def timed(command):
    """Seconds and peak MiB of a process."""
    done = subprocess.run([sys.executable, "-S", "-E", "-c", STARTER, *(str(c) for c in command)], capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr}")
    return tuple(float(number) for number in done.stdout.split())


def sqnr(shared, name, path):
    """dB of the worst output, float against int8, in ONNX Runtime."""
    command = [sys.executable, shared / "judge" / "evaluate.py", name, path, "--json", "--no-speed"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])["sqnr_worst"]


def check(text, holds):
    print(f"{text}   {'holds' if holds else 'MISSED'}")
    return holds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--model", default="mobilenet_v1_075")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--effort", default="fast", choices=("fast", "default"))
    parser.add_argument("--rounds", type=int, default=5)
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
        array = folder / "calibration.npy"
        np.save(array, np.ascontiguousarray(data[:200]))
        sources = {"npy": ["--data", array], "pictures": model.calibration}

        def quantize(source, samples):
            return timed([args.octet, "quantize", model.path, *sources[source], "--samples", samples, "--effort",
                          args.effort, "-o", folder / f"{source}_{samples}.onnx", "-q"])

        runs = {source: [] for source in sources}
        peers, memory = [], {}
        peaks = {source: {20: [], 200: []} for source in sources}
        for _ in range(args.rounds):
            for source in sources:
                runs[source].append(quantize(source, args.samples))
                for samples in (20, 200):
                    peaks[source][samples].append(quantize(source, samples)[1])
            peer = subprocess.run([sys.executable, shared / "judge/peers/quantize_onnxruntime.py", args.model,
                                   folder / "peer.onnx", "--limit", str(args.samples)], capture_output=True, text=True,
                                  check=True)
            peers.append(json.loads(peer.stdout.strip().splitlines()[-1])["seconds"])
        accuracy = {source: sqnr(shared, args.model, folder / f"{source}_{args.samples}.onnx") for source in sources}
        for source in sources:
            memory[source] = {n: statistics.median(found) for n, found in peaks[source].items()}
            memory[source][args.samples] = statistics.median(peak for _, peak in runs[source])
    ours, pictures = (min(seconds for seconds, _ in runs[source]) for source in ("npy", "pictures"))
    peer = min(peers)
    most_seconds, most_memory = (0.5 * peer, 300) if args.effort == "fast" else (6.0, 700)
    good = check(f"octet quantize, .npy       {ours:6.2f} s  (whole process) against {peer:.2f} s of ONNX Runtime's min-max "
                 f"(library call): {ours / peer:.2f} of it", ours <= most_seconds)
    good &= check(f"octet quantize, pictures   {pictures:6.2f} s  {pictures / ours:.2f} of the .npy", pictures <= 1.5 * ours)
    good &= check(f"worst output               {accuracy['npy']:6.2f} dB from .npy, {accuracy['pictures']:.2f} dB from pictures",
                  abs(accuracy["npy"] - accuracy["pictures"]) <= 0.1)
    for source, peaks in memory.items():
        few = peaks[20]
        good &= check(f"peak memory, {source:13s} " + ", ".join(f"{m:.0f} MiB at {n}" for n, m in sorted(peaks.items()))
                      + " samples", max(peaks.values()) <= most_memory and abs(peaks[200] - few) <= 0.05 * few)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
