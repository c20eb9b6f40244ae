"""A detector whose head shares all convolutions between three levels, each with BNs of its own."""

import jax
import jax.numpy as jnp
import optax

import canvas
from train import Recipe

WIDTH = 32
BACKBONE = (16, 24, 32, 48)
LOCATIONS = len(canvas.CENTRES)
# Raw boxes are the distances from a location to the four sides, in units of this many pixels on
# every level: unlike distances in strides, they leave each level a range of its own.
BOX_UNIT = 8.0
# Where the BN scales of a level start: apart on purpose, so that the branches end up with
# activation ranges far from each other under shared weights. The optimizer may move them.
LEVEL_SCALES = (0.25, 1.0, 4.0)


def conv_bn_relu(ops, x, name, cin, cout, stride=1):
    x = ops.conv(x, f"{name}.conv", cin, cout, 3, stride=stride)
    return ops.relu(ops.batch_norm(x, f"{name}.bn", cout))


def backbone(ops, x):
    """Feature maps at strides 4, 8 and 16, all WIDTH channels wide."""
    x = conv_bn_relu(ops, x, "stem", 1, BACKBONE[0], stride=2)
    features = []
    for i, (cin, cout) in enumerate(zip(BACKBONE, BACKBONE[1:])):
        x = conv_bn_relu(ops, x, f"stage{i}.down", cin, cout, stride=2)
        x = conv_bn_relu(ops, x, f"stage{i}.keep", cout, cout)
        features.append(ops.conv(x, f"lateral{i}", cout, WIDTH, 1, bias=0.0))
    return features


def head(ops, x, level):
    for i in range(2):
        x = ops.conv(x, f"head.conv{i}", WIDTH, WIDTH, 3)
        x = ops.batch_norm(x, f"head.level{level}.bn{i}", WIDTH, scale=LEVEL_SCALES[level])
        x = ops.relu(x)
    # Negative class bias: nearly all locations are background when training begins.
    return (ops.conv(x, "head.classes", WIDTH, 10, 1, bias=-2.0),
            ops.conv(x, "head.boxes", WIDTH, 4, 1, bias=1.0))


def by_location(ops, maps, channels, output):
    rows = [ops.reshape(ops.transpose(m, (0, 2, 3, 1)), (-1, channels)) for m in maps]
    return ops.concat(rows, axis=1, output=output)


def forward(ops, x):
    classes, boxes = zip(*(head(ops, f, i) for i, f in enumerate(backbone(ops, x))))
    logits = by_location(ops, classes, 10, "location_logits")
    boxes = by_location(ops, boxes, 4, "boxes")
    return ops.reduce_max(logits, 1, "scores"), boxes, logits


def decode(raw):
    """Raw boxes [n,L,4] as corners x0, y0, x1, y1 in pixels."""
    low = canvas.CENTRES - raw[..., :2] * BOX_UNIT
    high = canvas.CENTRES + raw[..., 2:] * BOX_UNIT
    return jnp.concatenate([low, high], -1)


def iou(a, b):
    low, high = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0), -1)
    area_a, area_b = (jnp.prod(jnp.maximum(v[..., 2:] - v[..., :2], 0), -1) for v in (a, b))
    return shared / (area_a + area_b - shared + 1e-6)


def loss(results, labels, boxes, positive):
    scores, raw, logits = results
    wanted = positive[:, :, None] * jax.nn.one_hot(labels, 10)[:, None]
    count = positive.sum()
    per_location = optax.sigmoid_focal_loss(logits, wanted, alpha=0.5, gamma=2.0).sum() / count
    image = optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

    corners, truth = decode(raw), boxes[:, None]
    distance = jnp.abs(corners - truth).mean(-1) / BOX_UNIT + 1 - iou(corners, truth)
    return per_location + image + 2 * (distance * positive).sum() / count


RECIPE = Recipe(
    name="digits_shared_head",
    special="detector, strides 4/8/16: head Convs are the same initializers on all three levels, "
            "BatchNormalization per level; second output with raw boxes",
    input_shape=(1, canvas.SIZE, canvas.SIZE),
    outputs={"scores": (10,), "boxes": (LOCATIONS, 4)},
    forward=forward,
    loss=loss,
    epoch=canvas.epoch,
    stored=canvas.stored,
    epochs=60,
)
