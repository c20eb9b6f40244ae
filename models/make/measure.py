"""What the files on disk are worth, measured with onnxruntime, and the README's table of it."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort

TABLE_BEGIN, TABLE_END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass(frozen=True)
class Measurement:
    accuracy: float
    samples: int
    calibration_samples: int
    parameters: int
    nodes: int
    size: int             # bytes of model.onnx
    mean_iou: float = None


def run(model, x, extra_outputs=()):
    """All outputs by name; `extra_outputs` are intermediate tensors to bring out as well."""
    present = [output.name for output in model.graph.output]
    if extra_outputs:
        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra_outputs)
        model = opened
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = present + list(extra_outputs)
    return dict(zip(names, session.run(names, {"input": x})))


def measure(folder):
    path = folder / "model.onnx"
    model = onnx.load(path)
    x = np.load(folder / "evaluation.npy")
    labels = np.load(folder / "evaluation_labels.npy")
    boxes_path = folder / "evaluation_boxes.npy"

    results = run(model, x, ["location_logits"] if boxes_path.exists() else [])
    classes = results[model.graph.output[0].name].argmax(1)
    mean_iou = None
    if boxes_path.exists():
        mean_iou = _mean_iou(results, np.load(boxes_path))
    floats = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    return Measurement(
        accuracy=float((classes == labels).mean()), samples=len(labels),
        calibration_samples=len(np.load(folder / "calibration.npy")),
        parameters=sum(int(np.prod(t.dims)) for t in floats),
        nodes=len(model.graph.node), size=path.stat().st_size, mean_iou=mean_iou)


def _mean_iou(results, truth):
    """At the location with the highest logit of any class, the only box one would report."""
    from digits_shared_head import decode, iou

    location = results["location_logits"].max(2).argmax(1)
    corners = np.asarray(decode(results["boxes"]))[np.arange(len(truth)), location]
    return float(np.mean(np.asarray(iou(corners, truth))))


def write_table(readme, recipes, measurements):
    """Replaces what is between the README's two markers, so that no figure is typed by hand."""
    rows = ["| name | what is special | input | nodes | parameters | model.onnx "
            "| calibration / evaluation samples | float accuracy |",
            "|---|---|---|---|---|---|---|---|"]
    for recipe in recipes:
        m = measurements[recipe.name]
        accuracy = f"{m.accuracy:.2%}"
        if m.mean_iou is not None:
            accuracy += f", mean IoU {m.mean_iou:.3f}"
        shape = ",".join(str(d) for d in ("N", *recipe.input_shape))
        rows.append(f"| `{recipe.name}` | {recipe.special} | float32 [{shape}] | {m.nodes} "
                    f"| {m.parameters:,} | {m.size / 1024:.0f} KiB "
                    f"| {m.calibration_samples} / {m.samples} | {accuracy} |")
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(TABLE_BEGIN)
    after = rest.split(TABLE_END)[1]
    table = "\n".join([TABLE_BEGIN, *rows, TABLE_END])
    readme.write_text(before + table + after, encoding="utf-8")
    print("\n".join(rows))
