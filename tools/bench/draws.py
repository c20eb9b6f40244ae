"""How much the accuracy depends on which samples calibrate (OCTET_SHARED).

  draws.py OCTET [--models NAME ...] [--draws 5] [--sizes 64 100] [--effort default] [--backend x86]

Draws samples at random (seed = number of the draw) from the calibration data of each corpus model,
quantizes with them and lets the judge measure the worst output over all evaluation data, in ONNX
Runtime for x86 and in OpenVINO for openvino. Prints every draw, then mean, spread and worst."""
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

RUNTIMES = {"x86": "onnxruntime", "openvino": "openvino"}


def drawn(source, size, seed, folder):
    """A copy of `source` (pictures in a folder, .npy or .npz) with `size` of its samples, or None."""
    generator = np.random.default_rng(seed)
    if source.is_dir():
        files = sorted(p for p in source.iterdir() if p.is_file())
        if len(files) < size:
            return None
        out = folder / "pictures"
        out.mkdir()
        for i in sorted(generator.choice(len(files), size, replace=False)):
            (out / files[i].name).symlink_to(files[i].resolve())
        return out
    data = np.load(source)
    arrays = dict(data) if source.suffix == ".npz" else {"": data}
    count = len(next(iter(arrays.values())))
    if count < size:
        return None
    chosen = sorted(generator.choice(count, size, replace=False))
    out = folder / source.name
    if source.suffix == ".npz":
        np.savez(out, **{name: array[chosen] for name, array in arrays.items()})
    else:
        np.save(out, data[chosen])
    return out


def measured(args, shared, model, size, seed):
    """SQNR of the worst output; None where there are not that many samples."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        options = list(model.calibration)
        at = options.index("--data") + 1
        source = drawn(pathlib.Path(options[at]), size, seed, folder)
        if source is None:
            return None
        options[at] = source
        out = folder / "out.onnx"
        command = [args.octet, "quantize", model.path, *options, "--effort", args.effort, "--backend", args.backend,
                   "-o", out, "-q"]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        command = [sys.executable, shared / "judge" / "evaluate.py", model.name, out, "--runtime",
                   RUNTIMES[args.backend], "--json", "--no-speed"]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        return json.loads(done.stdout.strip().splitlines()[-1])["sqnr_worst"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 100])
    parser.add_argument("--effort", default="default")
    parser.add_argument("--backend", default="x86", choices=tuple(RUNTIMES))
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    for model in corpus_data.corpus_models():
        if (args.models and model.name not in args.models) or model.name == "style_mosaic":
            continue
        for size in args.sizes:
            found = [measured(args, shared, model, size, seed) for seed in range(1, args.draws + 1)]
            if None in found:
                print(f"{model.name:28s} {size:4d} samples: the corpus has fewer", flush=True)
                continue
            print(f"{model.name:28s} {size:4d} samples  {'  '.join(f'{v:6.2f}' for v in found)}   mean "
                  f"{statistics.mean(found):6.2f}  spread {max(found) - min(found):5.2f}  worst {min(found):6.2f} dB",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
