"""Accuracy and speed of what Octet writes, with the judge of the corpus (OCTET_SHARED).

  accuracy.py OCTET [--models NAME ...] [--samples 100] [--effort fast|default|best] [--speed] [--keep FOLDER]

The x86 file is judged in ONNX Runtime, the openvino file in OpenVINO;
all four backends must succeed. With --speed, each runtime's speed-up over float is measured too, and
the file of ONNX Runtime's own min-max quantizer is made and judged in the same run. Prints a table."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
import corpus_data  # noqa: E402

BACKENDS = ("x86", "arm", "openvino", "tensorrt")
JUDGED = {"x86": "onnxruntime", "openvino": "openvino"}
ISLANDS = {"onnxruntime": ("Conv", "FusedConv", "Gemm", "MatMul"), "openvino": ("Convolution:f32", "FullyConnected:f32")}


def judge(shared, name, path, runtime, speed):
    command = [sys.executable, shared / "judge" / "evaluate.py", name, path, "--runtime", runtime, "--json"]
    done = subprocess.run([str(c) for c in command + ([] if speed else ["--no-speed"])], capture_output=True, text=True)
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def peer_file(shared, name, samples, out):
    """The file of ONNX Runtime's min-max quantizer; False where it fails."""
    command = [sys.executable, shared / "judge/peers/quantize_onnxruntime.py", name, out, "--limit", samples]
    return subprocess.run([str(c) for c in command], capture_output=True).returncode == 0


def line(name, backend, result):
    if "error" in result:
        return f"{name:28s} {backend:10s} FAILED {result['error']}"
    top1 = f"top-1 {result['top1_float']:6.2f} -> {result['top1']:6.2f}" if "top1" in result else ""
    speed = f"speed-up {result['speedup']:.2f}" if "speedup" in result else ""
    islands = {k: v for k, v in result["executed"].items() if k in ISLANDS[result["runtime"]]}
    return (f"{name:28s} {backend:10s} worst {result['sqnr_worst']:6.2f} dB  mean {result['sqnr_mean']:6.2f} dB  "
            f"{top1} {speed} {'float: ' + str(islands) if islands else ''}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--effort", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--executed", action="store_true", help="print what each runtime ran")
    parser.add_argument("--keep", type=pathlib.Path, help="leave the files here")
    args = parser.parse_args()
    shared = corpus_data.shared_folder()
    if shared is None:
        raise SystemExit("set OCTET_SHARED to the folder of the corpus and its judge")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = args.keep or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for model in corpus_data.corpus_models():
            if args.models and model.name not in args.models:
                continue
            for backend in BACKENDS:
                out = folder / f"{model.name}.{backend}.onnx"
                made = subprocess.run([str(c) for c in (args.octet, "quantize", model.path, *model.calibration, "--samples",
                                                        args.samples, "--effort", args.effort, "--backend", backend, "-o",
                                                        out, "-q")], capture_output=True, text=True)
                if made.returncode != 0:
                    print(f"{model.name:28s} {backend:10s} FAILED {made.stderr.strip()}", flush=True)
                    failed += 1
                elif backend in JUDGED:
                    result = judge(shared, model.name, out, JUDGED[backend], args.speed)
                    failed += "error" in result
                    print(line(model.name, backend, result), flush=True)
                    if args.executed:
                        print("   ", result.get("executed"), flush=True)
            if args.speed:
                peer = folder / f"{model.name}.peer.onnx"
                if peer_file(shared, model.name, args.samples, peer):
                    for runtime in JUDGED.values():
                        print(line(model.name, "(peer)", judge(shared, model.name, peer, runtime, True)), runtime, flush=True)
                else:
                    print(f"{model.name:28s} (peer)     ONNX Runtime's quantizer fails on it", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
