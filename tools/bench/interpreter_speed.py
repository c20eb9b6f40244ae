"""Speed of Octet's interpreter against ONNX Runtime and OpenVINO, in one run (OCTET_SHARED).

  interpreter_speed.py OCTET [--models NAME ...] [--samples 100] [--rounds 3] [--threads 2] [--json FILE]

The float models of the corpus, one sample per run, prepared beforehand and held in memory: what is
measured are the runs. Octet and the peers take turns; each runs all samples both ways, all threads on
one sample and a sample per thread, and its best round in its better setting counts. Then, in the same
turns: Octet with the statistics of every tensor that `octet calibrate` observes, and the x86 file that
Octet makes, in Octet. Exit status 1 when a promise is missed: as geometric mean at least 1.0 times ONNX
Runtime and 0.9 times the faster peer, on each model at least 0.7 times the faster; statistics cost at
most 25 %; the quantized file is at least as fast as the float model on each.

On a machine that others use, --latency says more: the least time of a single sample on one thread, which
other load makes rarer but not longer. It prints and judges nothing."""
import argparse
import concurrent.futures
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402

MODELS = ("mobilenet_v1_075", "squeezenet", "resnet20_cifar10", "ultraface_rfb_320", "nanodet_m", "yunet_n_dynamic",
          "minilm_l6")
PROMISES = {"onnxruntime": 1.0, "faster": 0.9, "each": 0.7, "observed": 0.8, "quantized": 1.0}


class OnnxRuntime:
    """One session per setting; `run(feeds)` in seconds."""

    def __init__(self, path, threads):
        import onnxruntime as ort

        ort.set_default_logger_severity(3)
        model = without_initializer_inputs(path)
        self.settings = []
        for at_a_time, each in {(1, threads), (threads, 1)}:
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = each, 1
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self.settings.append((at_a_time, each, session))
        self.names = [i.name for i in self.settings[0][2].get_inputs()]

    def rounds(self, feeds):
        for at_a_time, each, session in self.settings:
            yield (at_a_time, each), spread(lambda feed, session=session: session.run(None, feed), feeds, at_a_time)


def without_initializer_inputs(path):
    """The model with weights that are not listed as inputs as well: ONNX Runtime folds no others."""
    import onnx

    model = onnx.load(str(path))
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)
    return model.SerializeToString()


class OpenVino:
    """One compiled model per setting, made for the samples' shapes; an infer request per sample at a time."""

    def __init__(self, path, threads, feed):
        import openvino as ov

        core = ov.Core()
        model = core.read_model(str(path))
        model.reshape({name: array.shape for name, array in feed.items()})
        self.settings = []
        for at_a_time, each in {(1, threads), (threads, 1)}:
            hint = "LATENCY" if at_a_time == 1 else "THROUGHPUT"
            compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": at_a_time,
                                                         "PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"})
            self.settings.append((at_a_time, each, ov.AsyncInferQueue(compiled, at_a_time)))

    def rounds(self, feeds):
        for at_a_time, each, queue in self.settings:
            yield (at_a_time, each), stream(queue, feeds)


def stream(queue, feeds):
    for feed in feeds[:4]:
        queue.start_async(feed)
    queue.wait_all()
    start = time.perf_counter()
    for feed in feeds:
        queue.start_async(feed)
    queue.wait_all()
    return time.perf_counter() - start


def spread(run, feeds, threads):
    """Seconds for all feeds, `threads` at a time, after a few that do not count."""
    for feed in feeds[:2]:
        run(feed)
    if threads == 1:
        start = time.perf_counter()
        for feed in feeds:
            run(feed)
        return time.perf_counter() - start
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, feeds[:2 * threads]))
        start = time.perf_counter()
        list(pool.map(run, feeds))
        return time.perf_counter() - start


def octet_round(octet, path, data, threads, *options):
    """Samples per second by setting, of one round; and with the statistics."""
    done = subprocess.run([str(c) for c in (octet, "bench", path, "--data", data, "--rounds", 1, "--threads", threads,
                                            "--json", "-q", *options)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip())
    out = json.loads(done.stdout)
    rates = {(s["samples_at_a_time"], s["threads_per_sample"]): s["samples_per_second"] for s in out["settings"]}
    return rates, out.get("observed", {}).get("samples_per_second")


def quantized(octet, model, samples, folder):
    path = folder / f"{model.name}.x86.onnx"
    done = subprocess.run([str(c) for c in (octet, "quantize", model.path, *model.calibration, "--samples", samples,
                                            "--backend", "x86", "--effort", "fast", "-o", path, "-q")],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip())
    return path


def prepared(model, count, names, folder):
    """Feeds in memory, and the same samples as a file for Octet."""
    feeds = [corpus_data.feeds_for(sample, names) for sample in model.samples(count)]
    data = folder / f"{model.name}.npz"
    np.savez(data, **{name: np.concatenate([feed[name] for feed in feeds]) for name in names})
    return feeds, data


def best(rates, found):
    for setting, rate in found.items():
        rates[setting] = max(rates.get(setting, 0.0), rate)


def measure(octet, model, args, folder):
    """Best samples per second of everything that ran."""
    engines = {"onnxruntime": OnnxRuntime(model.path, args.threads)}
    feeds, data = prepared(model, args.samples, engines["onnxruntime"].names, folder)
    engines["openvino"] = OpenVino(model.path, args.threads, feeds[0])
    int8 = quantized(octet, model, args.samples, folder)
    rates = {name: {} for name in ("octet", "int8", *engines)}
    observed = 0.0
    for _ in range(args.rounds):
        found, with_statistics = octet_round(octet, model.path, data, args.threads, "--observe")
        best(rates["octet"], found)
        observed = max(observed, with_statistics)
        best(rates["int8"], octet_round(octet, int8, data, args.threads)[0])
        for name, engine in engines.items():
            best(rates[name], {setting: len(feeds) / seconds for setting, seconds in engine.rounds(feeds)})
    top = {name: max(found.values()) for name, found in rates.items()}
    together = max(rate for (at_a_time, _), rate in rates["octet"].items() if at_a_time == args.threads)
    return top | {"observed": observed / together, "settings": {name: {f"{a}x{t}": r for (a, t), r in found.items()}
                                                                for name, found in rates.items()}}


def least(run, feed, seconds):
    """The least time of `run(feed)` in so many seconds of trying, in milliseconds."""
    shortest, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(feed)
        shortest = min(shortest, time.perf_counter() - start)
    return 1e3 * shortest


def latency(octet, model, args, folder):
    """Least milliseconds of a sample on one thread, of everything that runs."""
    ort = OnnxRuntime(model.path, 1)
    feeds, data = prepared(model, 1, ort.names, folder)
    runs = {"onnxruntime": lambda feed: ort.settings[0][2].run(None, feed)}
    request = OpenVino(model.path, 1, feeds[0]).settings[0][2][0]
    runs["openvino"] = request.infer
    files = {"octet": model.path, "int8": quantized(octet, model, args.samples, folder)}
    out = dict.fromkeys([*files, *runs], math.inf)
    for _ in range(args.rounds):
        for name, run in runs.items():
            out[name] = min(out[name], least(run, feeds[0], 1.0))
        for name, path in files.items():
            rounds = max(20, int(1e3 / out["onnxruntime"]))
            done = subprocess.run([str(c) for c in (octet, "bench", path, "--data", data, "--rounds", rounds, "--threads", 1,
                                                    "--json", "-q")], capture_output=True, text=True, check=True)
            out[name] = min(out[name], 1e3 * json.loads(done.stdout)["settings"][0]["least_sample_seconds"])
    return out


def print_latencies(models, args):
    print("least milliseconds of a sample on one thread")
    print(f"{'':18s} {'octet':>8s} {'ort':>8s} {'openvino':>8s} {'int8':>8s}   ort /  faster /  float / int8", flush=True)
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for model in args.models:
            t = latency(args.octet, models[model], args, pathlib.Path(name))
            ratios.append((t["onnxruntime"] / t["octet"], min(t["onnxruntime"], t["openvino"]) / t["octet"],
                           t["octet"] / t["int8"]))
            print(f"{model:18s} {t['octet']:8.3f} {t['onnxruntime']:8.3f} {t['openvino']:8.3f} {t['int8']:8.3f} "
                  + " ".join(f"{ratio:7.2f}" for ratio in ratios[-1]), flush=True)
    print(f"{'geometric mean':18s} {'':35s} " + " ".join(f"{mean(column):7.2f}" for column in zip(*ratios)))


def mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*", default=MODELS, choices=MODELS)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--latency", action="store_true", help="the least time of a sample instead, on one thread")
    parser.add_argument("--json", type=pathlib.Path, help="write all rates to this file")
    args = parser.parse_args()
    if corpus_data.shared_folder() is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    models = {model.name: model for model in corpus_data.corpus_models()}
    if args.latency:
        print_latencies(models, args)
        return 0
    print(f"samples per second, best of {args.rounds} rounds over {args.samples} samples, {args.threads} threads")
    print(f"{'':18s} {'octet':>8s} {'ort':>8s} {'openvino':>8s}   / ort  / faster   with statistics   int8 / float", flush=True)
    rows, good = {}, True
    with tempfile.TemporaryDirectory() as name:
        for model in args.models:
            row = rows[model] = measure(args.octet, models[model], args, pathlib.Path(name))
            row["to_onnxruntime"] = row["octet"] / row["onnxruntime"]
            row["to_faster"] = row["octet"] / max(row["onnxruntime"], row["openvino"])
            row["quantized"] = row["int8"] / row["octet"]
            missed = [what for what, holds in (("slower than 0.7 of the faster", row["to_faster"] >= PROMISES["each"]),
                                               ("statistics", row["observed"] >= PROMISES["observed"]),
                                               ("int8", row["quantized"] >= PROMISES["quantized"])) if not holds]
            good &= not missed
            print(f"{model:18s} {row['octet']:8.1f} {row['onnxruntime']:8.1f} {row['openvino']:8.1f} "
                  f"{row['to_onnxruntime']:7.2f} {row['to_faster']:9.2f} {row['observed']:17.2f} {row['quantized']:14.2f}"
                  f"{'   MISSED: ' + ', '.join(missed) if missed else ''}", flush=True)
    to_ort, to_faster = (mean([row[key] for row in rows.values()]) for key in ("to_onnxruntime", "to_faster"))
    missed = [what for what, holds in (("ort", to_ort >= PROMISES["onnxruntime"]),
                                       ("faster", to_faster >= PROMISES["faster"])) if not holds]
    print(f"{'geometric mean':18s} {'':26s} {to_ort:7.2f} {to_faster:9.2f} "
          f"{mean([row['observed'] for row in rows.values()]):17.2f} {mean([row['quantized'] for row in rows.values()]):14.2f}"
          f"{'   MISSED: ' + ', '.join(missed) if missed else ''}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if good and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
