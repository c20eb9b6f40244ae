"""Latency of what Octet writes against the files of other quantizers, in one run (OCTET_SHARED).

  speed.py OCTET [--models NAME ...] [--effort fast|default] [--rounds 8] [--threads 2] [--nncf PYTHON] [--keep FOLDER]

The x86 file runs in ONNX Runtime and the openvino file in OpenVINO, each beside the float model and the
files that ONNX Runtime's own quantizer makes from the same calibration samples (per channel as QDQ and
as QOperator, and per tensor at the model's opset); with --nncf, a Python that has NNCF, also NNCF's
two. All files take turns, one alive at a time, and the least time of all rounds counts: other load on
the machine makes times longer, never shorter. Accuracy is the judge's. A peer counts when it is at most
3 dB less accurate than Octet's file on its worst output; below 0.95 of the speed of the fastest of those
the line says SLOWER and the exit status is 1."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402

JUDGED = {"x86": "onnxruntime", "openvino": "openvino"}
ORT = "quantize_onnxruntime.py"
PEERS = {"ort qdq": (ORT,), "ort qoperator": (ORT, "--format", "QOperator"), "ort per-tensor": (ORT, "--per-tensor")}
NNCF = {"nncf": ("quantize_nncf.py",), "nncf performance": ("quantize_nncf.py", "--preset", "performance")}
TRANSFORMERS = ("minilm_l6", "distilbert_export", "llama_export")


def run(command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def octet_files(octet, model, samples, effort, folder):
    """Octet's file per runtime."""
    out = {}
    for backend, runtime in JUDGED.items():
        out[runtime] = folder / f"{model.name}.{backend}.onnx"
        made = run([octet, "quantize", model.path, *model.calibration, "--samples", samples, "--effort", effort,
                    "--backend", backend, "-o", out[runtime], "-q"])
        if made.returncode != 0:
            raise SystemExit(made.stderr.strip())
    return out


def peer_files(shared, model, samples, folder, nncf):
    """Files of the quantizers that succeed, by name."""
    out = {}
    jobs = [(name, sys.executable, args) for name, args in PEERS.items()]
    jobs += [(name, nncf, args) for name, args in NNCF.items()] if nncf else []
    for name, python, (script, *options) in jobs:
        path = folder / f"{model.name}.{name.replace(' ', '_')}.onnx"
        if model.name in TRANSFORMERS and name.startswith("nncf"):
            options = [*options, "--transformer"]
        if path.exists() or run([python, shared / "judge/peers" / script, model.name, path, "--limit", samples,
                                 *options]).returncode == 0:
            out[name] = path
    return out


def least_milliseconds(engine, files, feeds, threads, rounds):
    """The least latency of each file; they take turns."""
    best = dict.fromkeys(files, float("inf"))
    for _ in range(rounds):
        for name, path in files.items():
            session = engine(path, threads)
            for feed in feeds[:3]:
                session(feed)
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < 0.4 or count < 8:
                began = time.perf_counter()
                session(feeds[count % len(feeds)])
                best[name] = min(best[name], 1e3 * (time.perf_counter() - began))
                count += 1
            if hasattr(session, "dump"):
                pathlib.Path(session.dump).unlink(missing_ok=True)
            del session
    return best


def compare(judge, model, runtime, files, args):
    """Prints one line per file that the runtime takes; False when Octet's is too slow."""
    engine, found = judge.ENGINES[runtime], {}
    for name, path in files.items():
        try:
            found[name] = judge.accuracy(model, engine, path, args.limit, args.threads)
        except Exception:  # noqa: BLE001 - a peer's file that does not load is no peer here
            print(f"{model.name:26s} {runtime:11s} {name:17s} does not load", flush=True)
    data, _ = model.load("evaluation")
    feeds = [judge.corpus.sample(data, i) for i in range(min(8, judge.corpus.count(data)))]
    times = least_milliseconds(engine, {"float": model.path} | {name: files[name] for name in found}, feeds, args.threads,
                               args.rounds)
    ours, floor = times["octet"], found["octet"]["sqnr_worst"] - 3.0
    rivals = {name: times[name] for name in found if name != "octet" and found[name]["sqnr_worst"] >= floor}
    fastest = min(rivals, key=rivals.get) if rivals else None
    good = fastest is None or rivals[fastest] / ours >= 0.95
    for name, result in found.items():
        note = "" if name == "octet" or name in rivals else "less accurate by more than 3 dB"
        if name == "octet" and fastest:
            note = f"{rivals[fastest] / ours:.2f} of the speed of {fastest}{'' if good else '  SLOWER'}"
        print(f"{model.name:26s} {runtime:11s} {name:17s} {result['sqnr_worst']:7.2f} dB {times[name]:8.3f} ms  "
              f"speed-up {times['float'] / times[name]:5.2f}  {note}", flush=True)
        if args.executed:
            print("   ", result["executed"], flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--runtimes", nargs="*", default=list(JUDGED.values()), choices=list(JUDGED.values()))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--effort", default="default", choices=("fast", "default"))
    parser.add_argument("--limit", type=int, default=100, help="evaluation samples for the accuracy")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nncf", help="a Python that has NNCF")
    parser.add_argument("--executed", action="store_true", help="print what each runtime ran")
    parser.add_argument("--keep", type=pathlib.Path, help="leave the files here and take peers' files from here")
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    sys.path.insert(0, str(shared / "judge"))
    import corpus
    import evaluate

    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = args.keep or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for model in corpus_data.corpus_models():
            if (args.models and model.name not in args.models) or model.name == "style_mosaic":
                continue
            ours = octet_files(args.octet, model, args.samples, args.effort, folder)
            peers = peer_files(shared, model, args.samples, folder, args.nncf)
            for runtime in args.runtimes:
                good &= compare(evaluate, corpus.Model(model.name), runtime, {"octet": ours[runtime]} | peers, args)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
