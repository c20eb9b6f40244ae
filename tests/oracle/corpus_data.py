"""The models this repository measures itself on: those of models/, and those of the corpus where
OCTET_SHARED names it. A model is a path, the command-line options that feed it to octet, and its
samples as arrays for a runtime."""
import json
import os
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Model:
    """`path`; `calibration` and `evaluation`: octet options; `samples(n)`: feeds by input name."""

    def __init__(self, name, path, calibration, evaluation, load):
        self.name, self.path = name, pathlib.Path(path)
        self.calibration, self.evaluation, self._load = calibration, evaluation, load

    def samples(self, count):
        return self._load(count)


def own_models():
    """The models of models/, sorted by name."""
    out = []
    for folder in sorted((ROOT / "models").iterdir()):
        if not (folder / "model.onnx").exists():
            continue

        def load(count, folder=folder):
            data = np.load(folder / "evaluation.npy")
            return [{None: data[i : i + 1]} for i in range(min(count, len(data)))]

        out.append(Model(folder.name, folder / "model.onnx", ["--data", str(folder / "calibration.npy")],
                         ["--data", str(folder / "evaluation.npy")], load))
    return out


def shared_folder():
    """The folder that OCTET_SHARED names, or None."""
    folder = os.environ.get("OCTET_SHARED")
    return pathlib.Path(folder) if folder else None


def _list(values):
    return ":".join(f"{v:g}" for v in values)


def corpus_models():
    """The models of the corpus; empty without OCTET_SHARED."""
    shared = shared_folder()
    if shared is None:
        return []
    import sys

    sys.path.insert(0, str(shared / "judge"))
    import corpus

    spec = json.loads((shared / "corpus" / "corpus.json").read_text())
    out = []
    for name, entry in spec["models"].items():
        model = corpus.Model(name)
        data = spec["data"][entry["data"]]
        options = {}
        for split in ("calibration", "evaluation"):
            options[split] = ["--data", str(shared / "corpus" / data[split])]
            if data["kind"] != "feeds":
                height, width = entry["size"]
                options[split] += ["--preprocess", f"size={height}x{width},channels={entry['channels']},"
                                   f"mean={_list(entry['mean'])},std={_list(entry['std'])}"]

        def load(count, model=model):
            samples, _ = model.load("evaluation")
            n = min(count, corpus.count(samples))
            feeds = [corpus.sample(samples, i) for i in range(n)]
            return [f if isinstance(f, dict) else {None: f} for f in feeds]

        out.append(Model(name, model.path, options["calibration"], options["evaluation"], load))
    return out


def feeds_for(sample, names):
    """A sample as a feed: an unnamed array goes to the only input."""
    if None in sample:
        return {names[0]: sample[None]}
    return {name: sample[name] for name in names}
