"""What other number formats cost: 4-bit weights, one scale per tensor, shifts, 16 bits, no data.

  formats.py OCTET [--part NAME ...] [--samples 100] [--evaluation N] [--keep FOLDER]

Every figure is the worst output's SQNR against float in Octet's own interpreter and the top-1 of both,
over the evaluation data of the corpus (OCTET_SHARED). Each cure stands beside what the format does without
it: rounding to nearest at min-max ranges (--effort fast). Prints tables; ends with 1 when a floor is missed.

  four-bit      weights of 4 bits per channel in every layer, and with the first and the last layer at 8
  blocks        weights of 4 bits in blocks of 32 input channels
  per-tensor    one scale per weight tensor, and power-of-two scales
  no-data       --data none, per channel and per tensor
  sixteen       activations of 16 bits"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402

NEAREST = ["--effort", "fast"]
INT4 = ["--weights", "int4"]
ALL4 = INT4 + ["--narrow-layers", "all"]
TENSOR = ["--weight-granularity", "per-tensor"]
SHIFTS = ["--scales", "power-of-two"]
NONE = {"--data": "none"}


def row(model, what, options, replace=None, floor=None, points=None):
    """A line of a table; `replace`: --data of the calibration; `floor`: least dB; `points`: most points lost."""
    return {"model": model, "what": what, "options": options, "replace": replace or {}, "floor": floor, "points": points}


def four_bit():
    for model, floor in (("resnet20_cifar10", 20.5), ("squeezenet", 11.0), ("mobilenet_v1_075", 9.5)):
        yield row(model, "every layer, nearest", ALL4 + NEAREST)
        yield row(model, "every layer", ALL4, floor=floor)
        yield row(model, "first and last at 8 bits", INT4)


def blocks():
    for model in ("resnet20_cifar10", "squeezenet", "mobilenet_v1_075"):
        options = ALL4 + ["--weight-granularity", "block:32"]
        yield row(model, "blocks of 32, nearest", options + NEAREST)
        yield row(model, "blocks of 32", options)


def per_tensor():
    model = "mobilenet_v1_075"
    yield row(model, "per tensor, min-max and nearest", TENSOR + NEAREST)
    yield row(model, "per tensor", TENSOR, points=3.0)
    yield row(model, "per tensor, power-of-two scales", TENSOR + SHIFTS)
    yield row(model, "per channel, power of two, nearest", SHIFTS + NEAREST)
    yield row(model, "per channel, power-of-two scales", SHIFTS)


def no_data():
    for model, floor in (("mobilenet_v1_075", (4.0, 8.0)), ("digits_depthwise", (None, None)),
                         ("resnet20_cifar10", (None, None))):
        yield row(model, "100 samples, per channel, nearest", NEAREST)
        yield row(model, "no data, per channel", [], NONE, points=floor[0])
        yield row(model, "100 samples, per tensor, nearest", TENSOR + NEAREST)
        yield row(model, "no data, per tensor", TENSOR, NONE, points=floor[1])


def sixteen():
    for model in ("mobilenet_v1_075", "resnet20_cifar10"):
        yield row(model, "int8 activations", [])
        yield row(model, "int16 activations", ["--activations", "int16"])


PARTS = {"four-bit": four_bit, "blocks": blocks, "per-tensor": per_tensor, "no-data": no_data, "sixteen": sixteen}


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["failed"])[-1]
    return done.stdout, None


def calibration_of(model, line, samples):
    """The options that feed the model, with the replacements of the line; a number of samples where there are any."""
    options = list(model.calibration)
    for name, value in line["replace"].items():
        options[options.index(name) + 1] = value
    return options if "none" in options else options + ["--samples", samples]


def labels_of(model):
    """Where the labels of the evaluation data are."""
    data = pathlib.Path(model.evaluation[1])
    candidates = [data.with_name(data.name + ".labels.txt"), data.with_name(data.stem + ".labels.npy"),
                  data.with_name(data.stem + "_labels.npy")]
    return next((["--labels", str(path)] for path in candidates if path.exists()), [])


def measure(octet, model, line, args, folder):
    out = folder / f"{model.name}.onnx"
    text, error = run([octet, "quantize", model.path, *calibration_of(model, line, args.samples), *line["options"],
                       "-o", out, "-q", "--json"])
    if error:
        return {"error": error}
    made = json.loads(text)
    limit = ["--samples", args.evaluation] if args.evaluation else []
    text, error = run([octet, "compare", model.path, out, *model.evaluation, *labels_of(model), *limit, "-q", "--json"])
    return {"error": error} if error else {**json.loads(text), "seconds": made["seconds"]}


def verdict(line, result):
    """Whether the figure keeps its promise, in words, and whether it fails."""
    if line["floor"] is not None:
        good = result["worst_sqnr_db"] is not None and result["worst_sqnr_db"] >= line["floor"]
        return f"at least {line['floor']} dB: {'yes' if good else 'NO'}", not good
    if line["points"] is not None:
        good = result["top1_first"] - result["top1_second"] <= line["points"] + 1e-9
        return f"at most {line['points']:g} points lost: {'yes' if good else 'NO'}", not good
    return "", False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--part", nargs="*", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--evaluation", type=int, help="the first so many evaluation samples; all when absent")
    parser.add_argument("--keep", type=pathlib.Path, help="leave the files here")
    args = parser.parse_args()
    models = {model.name: model for model in corpus_data.own_models() + corpus_data.corpus_models()}
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = args.keep or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for part in args.part:
            print(f"== {part}", flush=True)
            for line in PARTS[part]():
                if line["model"] not in models:
                    print(f"{line['model']:18s} not here: set OCTET_SHARED to the folder of the corpus")
                    continue
                result = measure(args.octet, models[line["model"]], line, args, folder)
                if "error" in result:
                    print(f"{line['model']:18s} {line['what']:36s} FAILED {result['error']}", flush=True)
                    missed += 1
                    continue
                words, failed = verdict(line, result)
                missed += failed
                top1 = ""
                if "top1_first" in result:
                    top1 = f"top-1 {result['top1_first']:6.2f} -> {result['top1_second']:6.2f}"
                print(f"{line['model']:18s} {line['what']:36s} {result['worst_sqnr_db']:6.2f} dB  {top1}  "
                      f"{result['seconds']:6.1f} s  {words}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
