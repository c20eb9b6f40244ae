"""`--effort best` beside the default on the corpus (OCTET_SHARED): worst output in ONNX Runtime on the
full evaluation data, seconds of the whole process, and what the search kept.

  best_effort.py OCTET [--models NAME ...] [--samples 100] [--threads 2] [--check]

With --check it fails where a model is more than 0.2 dB below its default or takes more than 120 s, or
fewer than three of the models gain 0.5 dB. Times mean something on a quiet machine only; the seconds
of processor time beside them mean more on a busy one."""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import accuracy  # the folder of this script comes first on the path
import corpus_data

MODELS = ("mobilenet_v1_075", "squeezenet", "resnet20_cifar10", "ultraface_rfb_320", "nanodet_m", "minilm_l6", "yunet_n_dynamic")
MOST_BELOW, GAIN, GAINING, MOST_SECONDS = 0.2, 0.5, 3, 120.0


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def quantized(args, model, effort, out):
    """Wall and processor seconds, and octet's own report."""
    command = (args.octet, "quantize", model.path, *model.calibration, "--samples", args.samples, "--effort", effort,
               "--backend", "x86", "--threads", args.threads, "-o", out, "--json", "-q")
    started, used = time.monotonic(), processor_seconds()
    made = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if made.returncode != 0:
        raise SystemExit(f"{model.name}: {made.stderr.strip()}")
    return time.monotonic() - started, processor_seconds() - used, json.loads(made.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    gaining, missed = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for model in corpus_data.corpus_models():
            if model.name not in args.models:
                continue
            worst = {}
            for effort in ("default", "best"):
                out = pathlib.Path(folder) / f"{effort}.onnx"
                wall, used, report = quantized(args, model, effort, out)
                result = accuracy.judge(shared, model.name, out, "onnxruntime", False)
                if "error" in result:
                    raise SystemExit(f"{model.name}: {result['error']}")
                worst[effort] = result["sqnr_worst"]
                print(f"{model.name:20s} {effort:8s} {worst[effort]:6.2f} dB  {wall:6.1f} s ({used:.1f} s of processor)", flush=True)
            gain = worst["best"] - worst["default"]
            print(f"{'':20s} {'gain':8s} {gain:+6.2f} dB", flush=True)
            for change in report.get("accuracy", {}).get("search", {}).get("kept", []):
                at = f": {change['at']}" if change["at"] else ""
                print(f"{'':29s} {change['gain_db']:+6.2f} dB  {change['change']}{at}", flush=True)
            gaining += gain >= GAIN
            if gain < -MOST_BELOW:
                missed.append(f"{model.name} loses {-gain:.2f} dB")
            if wall > MOST_SECONDS:
                missed.append(f"{model.name} takes {wall:.0f} s")
    if gaining < GAINING and len(args.models) == len(MODELS):
        missed.append(f"{gaining} models gain {GAIN} dB")
    for each in missed:
        print(f"missed: {each}")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
