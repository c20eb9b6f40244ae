"""Detection data: one digit per canvas among noise and strokes, with ground truth per location."""

import numpy as np

from data import SPLIT, paste

SIZE = 32
STRIDES = (4, 8, 16)
# Longest side of a digit, in pixels, up to which a level of the head is responsible for it.
LEVEL_LIMITS = (15.0, 20.5, np.inf)
EXTENT = (11.0, 28.0)
STROKES = 3
EVALUATION_SAMPLES = 300
STORED_SEEDS = {"calibration": 11, "evaluation": 12}


def locations():
    """([L,2] centres as x, y; [L] strides), level by level, row by row: the head's order."""
    centres, strides = [], []
    for stride in STRIDES:
        line = (np.arange(SIZE // stride) + 0.5) * stride
        y, x = np.meshgrid(line, line, indexing="ij")
        centres.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full(x.size, stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides)


CENTRES, CENTRE_STRIDES = locations()


def _background(n, rng):
    """Uniform noise and a few faint, short strokes that resemble pieces of digits."""
    grid = np.arange(SIZE) + 0.5
    start = rng.uniform(0, SIZE, (n, STROKES, 2))
    angle = rng.uniform(0, 2 * np.pi, (n, STROKES))
    length = rng.uniform(3, 9, (n, STROKES))
    direction = np.stack([np.cos(angle), np.sin(angle)], -1)
    dx = grid[None, None, None, :] - start[:, :, 0, None, None]
    dy = grid[None, None, :, None] - start[:, :, 1, None, None]
    ux, uy = (direction[:, :, k, None, None] for k in range(2))
    along = np.clip(dx * ux + dy * uy, 0, length[:, :, None, None])
    distance = np.hypot(dx - along * ux, dy - along * uy)
    ink = rng.uniform(0.25, 0.5, (n, STROKES))[:, :, None, None]
    strokes = (ink * np.clip(1.5 - distance, 0, 1)).max(1)
    return np.maximum(strokes, rng.uniform(0, 0.15, (n, SIZE, SIZE)))


def draw(images, rng):
    """(canvases [n,1,32,32], boxes [n,4] as x0, y0, x1, y1)."""
    n = len(images)
    extent = rng.uniform(*EXTENT, n)
    height, width = (extent * rng.uniform(0.85, 1.0, n) for _ in range(2))
    top, left = rng.uniform(0, SIZE - height), rng.uniform(0, SIZE - width)
    ink = rng.uniform(0.7, 1.0, n)[:, None, None]
    digit = ink * paste(images, SIZE, top, left, height, width)
    canvas = np.maximum(_background(n, rng), digit)
    boxes = np.stack([left, top, left + width, top + height], 1)
    return canvas[:, None].astype(np.float32), boxes.astype(np.float32)


def positives(boxes):
    """[n,L] bool: locations of the responsible level near the middle of the digit."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = boxes[:, 2:] - boxes[:, :2]
    level = np.searchsorted(LEVEL_LIMITS, sides.max(1))
    on_level = CENTRE_STRIDES[None, :] == np.array(STRIDES)[level][:, None]
    offset = np.abs(CENTRES[None] - middle[:, None])
    near = (offset < 0.3 * sides[:, None]).all(2) & on_level
    # The coarsest level may have no centre that near; the nearest one always answers.
    distance = np.where(on_level, offset.max(2), np.inf)
    near[np.arange(len(boxes)), distance.argmin(1)] = True
    return near


def epoch(rng):
    """Several canvases of each training digit, shuffled."""
    images, labels = SPLIT["train"]
    order = np.concatenate([rng.permutation(len(images)) for _ in range(3)])
    x, boxes = draw(images[order], rng)
    return x, (labels[order], boxes, positives(boxes))


def stored(split):
    images, labels = (part[:EVALUATION_SAMPLES] for part in SPLIT[split])
    x, boxes = draw(images, np.random.default_rng(STORED_SEEDS[split]))
    return x, {"labels": labels, "boxes": boxes}
