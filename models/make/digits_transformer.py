"""A two-layer transformer; GELU and LayerNorm spelled out in primitives as old exporters do."""

import math

from data import classification_epoch, classification_stored
from train import Recipe, cross_entropy

TOKENS, WIDTH, HEADS, HIDDEN, LAYERS = 8, 32, 4, 64, 2


def linear(ops, x, name, cin, cout):
    weight = ops.param(f"{name}.weight", (cin, cout), std=math.sqrt(1 / cin))
    return ops.add(ops.matmul(x, weight), ops.param(f"{name}.bias", (cout,)))


def layer_norm(ops, x, name):
    centred = ops.sub(x, ops.reduce_mean(x, -1, keepdims=True))
    variance = ops.reduce_mean(ops.pow(centred, 2.0), -1, keepdims=True)
    normal = ops.div(centred, ops.sqrt(ops.add(variance, 1e-5)))
    scaled = ops.mul(normal, ops.param(f"{name}.weight", (WIDTH,), mean=1.0))
    return ops.add(scaled, ops.param(f"{name}.bias", (WIDTH,)))


def gelu(ops, x):
    gate = ops.add(ops.erf(ops.div(x, math.sqrt(2))), 1.0)
    return ops.mul(ops.mul(x, gate), 0.5)


def attention(ops, x, name):
    def heads(part, perm):
        y = linear(ops, x, f"{name}.{part}", WIDTH, WIDTH)
        y = ops.reshape_by_shape_subgraph(y, (TOKENS, HEADS, WIDTH // HEADS))
        return ops.transpose(y, perm)

    query = heads("query", (0, 2, 1, 3))
    key = heads("key", (0, 2, 3, 1))
    value = heads("value", (0, 2, 1, 3))
    scores = ops.div(ops.matmul(query, key), math.sqrt(WIDTH // HEADS))
    mixed = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
    mixed = ops.reshape_by_shape_subgraph(mixed, (TOKENS, WIDTH))
    return linear(ops, mixed, f"{name}.output", WIDTH, WIDTH)


def forward(ops, x):
    x = linear(ops, x, "embedding", 8, WIDTH)
    x = ops.add(x, ops.param("position", (TOKENS, WIDTH), std=0.2))
    for i in range(LAYERS):
        name = f"layer{i}"
        x = ops.add(x, attention(ops, layer_norm(ops, x, f"{name}.norm0"), f"{name}.attention"))
        hidden = linear(ops, layer_norm(ops, x, f"{name}.norm1"), f"{name}.ffn0", WIDTH, HIDDEN)
        x = ops.add(x, linear(ops, gelu(ops, hidden), f"{name}.ffn1", HIDDEN, WIDTH))
    x = ops.reduce_mean(layer_norm(ops, x, "norm"), 1, keepdims=False)
    return (ops.gemm(x, "classifier", WIDTH, 10),)


RECIPE = Recipe(
    name="digits_transformer",
    special="two encoder layers over the 8 rows as tokens; attention from MatMul/Softmax, GELU "
            "(Erf) and LayerNorm in pieces, reshapes fed by Shape subgraphs",
    input_shape=(8, 8),
    outputs={"logits": (10,)},
    forward=forward,
    loss=cross_entropy,
    epoch=classification_epoch(8, channel_axis=False),
    stored=classification_stored(8, channel_axis=False),
    epochs=200,
    learning_rate=3e-3,
    weight_decay=1e-2,
)
