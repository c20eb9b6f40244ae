"""Accuracy targets on the corpus (OCTET_SHARED): what was raised, the share of float arithmetic, and what the
judge says of the file.

  targets.py OCTET [--samples 100] [MODEL=DB ...]

Without pairs: mobilenet_v1_075=30 minilm_l6=28. An unreachable target has to exit 7 and write no file."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402
from accuracy import judge  # noqa: E402


def quantize(octet, model, samples, out, *more):
    command = (octet, "quantize", model.path, *model.calibration, "--samples", samples, "--backend", "x86", "-o", out, "-q",
               "--json", *more)
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("targets", nargs="*", default=["mobilenet_v1_075=30", "minilm_l6=28"])
    parser.add_argument("--samples", type=int, default=100)
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    models = {model.name: model for model in corpus_data.corpus_models()}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "model.onnx"
        for pair in args.targets:
            name, db = pair.split("=")
            made = quantize(args.octet, models[name], args.samples, out, "--min-sqnr", db)
            if made.returncode != 0:
                print(f"{name:20s} --min-sqnr {db}: exit {made.returncode} {made.stderr.strip()}", flush=True)
                failed += 1
                continue
            result = json.loads(made.stdout)
            target = result["target"]
            judged = judge(shared, name, out, "onnxruntime", False)
            print(f"{name:20s} --min-sqnr {db}: {target['before']} -> {target['after']}, on {target['judged_on']}; "
                  f"float {target['float_macs_percent']:.1f} % of the multiply-adds; judge {judged.get('sqnr_worst', 0):.2f} dB; "
                  f"{result['seconds']:.1f} s", flush=True)
            for layer in target["layers"]:
                if layer["raised"]:
                    print(f"    {layer['effect_db']:+6.2f} dB for {layer['macs_percent']:5.1f} %  {layer['op_type']} {layer['node']}")
            out.unlink()
            missed = quantize(args.octet, models[name], args.samples, out, "--min-sqnr", "150", "--max-float-macs", "5")
            wrong = missed.returncode != 7 or out.exists()
            failed += wrong
            print(f"{name:20s} --min-sqnr 150 --max-float-macs 5: exit {missed.returncode}, "
                  f"{'a file' if out.exists() else 'no file'}{'  WRONG' if wrong else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
