"""Peak memory of `octet calibrate` on the float models of the corpus (OCTET_SHARED).

  memory.py OCTET [--models NAME ...] [--counts 8 64 512] [--threads 2]

Samples are prepared beforehand and repeated where there are fewer. Exit status 1 when the peaks of a
model differ by more than 5 %, or one lies above 4 times the model file plus the largest set of values
alive at once plus 128 MiB. The set is what `octet bench` plans for the model without statistics."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402
from interpreter_speed import MODELS  # noqa: E402
from quantize_time import timed  # noqa: E402

MIB = 1 << 20


def live_bytes(octet, model, data):
    done = subprocess.run([str(c) for c in (octet, "bench", model.path, "--data", data, "--samples", 1, "--rounds", 1,
                                            "--json", "-q")], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)["live_bytes"]


def write_samples(model, count, folder):
    """The model's samples, over and over, as folder of one sample each or as one array."""
    import onnxruntime as ort

    ort.set_default_logger_severity(3)

    names = [i.name for i in ort.InferenceSession(str(model.path), providers=["CPUExecutionProvider"]).get_inputs()]
    feeds = [corpus_data.feeds_for(sample, names) for sample in model.samples(100)]
    if len(names) > 1:
        path = folder / "samples.npz"
        np.savez(path, **{name: np.concatenate([feeds[i % len(feeds)][name] for i in range(count)]) for name in names})
        return path
    path, first = folder / "samples.npy", feeds[0][names[0]]
    out = np.lib.format.open_memmap(path, "w+", first.dtype, (count, *first.shape[1:]))
    for i in range(count):
        out[i] = feeds[i % len(feeds)][names[0]][0]
    out.flush()
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*", default=MODELS, choices=MODELS)
    parser.add_argument("--counts", nargs="*", type=int, default=(8, 64, 512))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if corpus_data.shared_folder() is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    models = {model.name: model for model in corpus_data.corpus_models()}
    good = True
    print("peak MiB of octet calibrate")
    for name in args.models:
        model = models[name]
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            data = write_samples(model, max(args.counts), folder)
            peaks = [timed([args.octet, "calibrate", model.path, "--data", data, "--samples", n, "--threads", args.threads,
                            "-o", folder / "out.stats", "-q"])[1] for n in args.counts]
            live = live_bytes(args.octet, model, data) / MIB
        size = model.path.stat().st_size / MIB
        most = 4 * size + live + 128
        spread = max(peaks) / min(peaks) - 1
        holds = spread <= 0.05 and max(peaks) <= most
        good &= holds
        print(f"{name:18s} {', '.join(f'{peak:.0f} at {n}' for n, peak in zip(args.counts, peaks))}: {100 * spread:.1f} % apart, "
              f"may be {most:.0f} (model {size:.0f}, alive {live:.0f})   {'holds' if holds else 'MISSED'}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
