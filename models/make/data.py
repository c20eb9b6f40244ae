"""scikit-learn's handwritten digits, split once for all models, and their resampling."""

import numpy as np
from sklearn.datasets import load_digits

CALIBRATION, EVALUATION = 100, 360
SPLIT_SEED = 20240


def load_split():
    """{"train" | "calibration" | "evaluation": (images [n,8,8] in 0..1, labels [n])}, disjoint."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    bounds = [EVALUATION, EVALUATION + CALIBRATION]
    parts = zip(("evaluation", "calibration", "train"), np.split(order, bounds))
    return {name: (images[index], labels[index]) for name, index in parts}


SPLIT = load_split()


def _interpolation(size, start, extent):
    """[n,size,8]: bilinear weights that lay 8 source pixels over [start, start + extent).

    Pixels beyond the source take nothing, so one matrix resizes, shifts and pastes alike.
    """
    centres = np.arange(size)[None, :] + 0.5
    source = (centres - start[:, None]) * (8 / extent[:, None]) - 0.5
    return np.maximum(0, 1 - np.abs(source[:, :, None] - np.arange(8)))


def paste(images, size, top, left, height, width):
    """Each image drawn into its own size x size canvas, at a place and in a size of its own."""
    rows = _interpolation(size, top, height)
    columns = _interpolation(size, left, width)
    return np.einsum("nij,njk,nlk->nil", rows, images, columns, optimize=True)


def resized(images, size):
    zero, full = np.zeros(len(images)), np.full(len(images), float(size))
    return paste(images, size, zero, zero, full, full).astype(np.float32)


def augmented(images, size, rng):
    """Resized with a random shift and zoom of up to a pixel of the 8x8 original either way."""
    n, unit = len(images), size / 8
    height, width = (size + unit * rng.uniform(-0.8, 0.8, n) for _ in range(2))
    top = (size - height) / 2 + unit * rng.uniform(-0.8, 0.8, n)
    left = (size - width) / 2 + unit * rng.uniform(-0.8, 0.8, n)
    return paste(images, size, top, left, height, width).astype(np.float32)


def classification_epoch(size, channel_axis):
    """An `epoch` callable for a Recipe: augmented training images, shuffled, with labels."""
    def epoch(rng):
        images, labels = SPLIT["train"]
        order = rng.permutation(len(images))
        x = augmented(images[order], size, rng)
        return (x[:, None] if channel_axis else x), (labels[order],)
    return epoch


def classification_stored(size, channel_axis):
    """A `stored` callable for a Recipe: a split as it goes to disk, unaugmented."""
    def stored(split):
        images, labels = SPLIT[split]
        x = resized(images, size)
        return (x[:, None] if channel_axis else x), {"labels": labels}
    return stored
