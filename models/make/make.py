"""Trains the models, writes them with their data next to this folder, and measures the result.

    python make.py                     everything
    python make.py digits_residual     only the models named
    python make.py --measure           no training: measure what is there, refresh the table
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import numpy as np
import onnx

import digits_depthwise
import digits_residual
import digits_shared_head
import digits_transformer
from jax_ops import JaxOps
from measure import measure, run, write_table
from onnx_ops import export
from train import train

MODELS = Path(__file__).resolve().parent.parent
MODULES = (digits_depthwise, digits_residual, digits_shared_head, digits_transformer)
RECIPES = [module.RECIPE for module in MODULES]
TOLERANCE = 1e-4
ACCURACY_WANTED = 0.95


def build(recipe):
    print(recipe.name, flush=True)
    params, stats = train(recipe)
    model = export(recipe, params, stats)
    folder = MODELS / recipe.name
    folder.mkdir(exist_ok=True)
    for split in ("calibration", "evaluation"):
        x, truth = recipe.stored(split)
        check_agreement(recipe, params, stats, model, x)
        np.save(folder / f"{split}.npy", x)
        # Calibration must do without ground truth, so none is kept for it.
        if split == "evaluation":
            for kind, values in truth.items():
                np.save(folder / f"evaluation_{kind}.npy", values)
    onnx.save(model, folder / "model.onnx")


def check_agreement(recipe, params, stats, model, x):
    expected = recipe.forward(JaxOps(params, stats), x)
    actual = run(model, x)
    for name, wanted in zip(recipe.outputs, expected):
        difference = float(np.abs(actual[name] - np.asarray(wanted)).max())
        print(f"  {name}: onnxruntime differs from JAX by at most {difference:.1e}")
        if difference >= TOLERANCE:
            raise SystemExit(f"{recipe.name}: the exported graph is not the trained model")


def main():
    parser = argparse.ArgumentParser(description="Makes the sample models.")
    parser.add_argument("names", nargs="*", metavar="model",
                        help="models to make (default: all): " + ", ".join(r.name for r in RECIPES))
    parser.add_argument("--measure", action="store_true", help="only measure what is there")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {recipe.name for recipe in RECIPES}
    if unknown:
        parser.error("no such model: " + ", ".join(sorted(unknown)))

    if not arguments.measure:
        for recipe in RECIPES:
            if not arguments.names or recipe.name in arguments.names:
                build(recipe)
    measurements = {recipe.name: measure(MODELS / recipe.name) for recipe in RECIPES
                    if (MODELS / recipe.name / "model.onnx").exists()}
    if len(measurements) == len(RECIPES):
        write_table(MODELS / "README.md", RECIPES, measurements)
    poor = [name for name, m in measurements.items() if m.accuracy <= ACCURACY_WANTED]
    if poor:
        raise SystemExit(f"accuracy not above {ACCURACY_WANTED:.0%}: " + ", ".join(poor))


if __name__ == "__main__":
    main()
