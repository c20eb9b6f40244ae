"""Residual Adds (identity and 1x1-convolved skips), an Inception-like Concat and both poolings."""

from data import classification_epoch, classification_stored
from train import Recipe, cross_entropy


def conv_bn(ops, x, name, cin, cout, kernel, stride=1):
    x = ops.conv(x, f"{name}.conv", cin, cout, kernel, stride=stride)
    return ops.batch_norm(x, f"{name}.bn", cout)


def conv_bn_relu(ops, *args, **kwargs):
    return ops.relu(conv_bn(ops, *args, **kwargs))


def residual(ops, x, name, cin, cout, stride=1):
    skip = x
    if stride != 1 or cin != cout:
        skip = conv_bn(ops, x, f"{name}.skip", cin, cout, 1, stride)
    y = conv_bn_relu(ops, x, f"{name}.a", cin, cout, 3, stride)
    y = conv_bn(ops, y, f"{name}.b", cout, cout, 3)
    return ops.relu(ops.add(y, skip))


def inception(ops, x, name, cin):
    point = conv_bn_relu(ops, x, f"{name}.point", cin, 8, 1)
    narrow = conv_bn_relu(ops, x, f"{name}.narrow0", cin, 8, 1)
    narrow = conv_bn_relu(ops, narrow, f"{name}.narrow1", 8, 16, 3)
    wide = conv_bn_relu(ops, x, f"{name}.wide0", cin, 8, 1)
    wide = conv_bn_relu(ops, wide, f"{name}.wide1", 8, 8, 3)
    wide = conv_bn_relu(ops, wide, f"{name}.wide2", 8, 8, 3)
    pooled = ops.avg_pool(x, kernel=3, stride=1, pad=1)
    pooled = conv_bn_relu(ops, pooled, f"{name}.pooled", cin, 8, 1)
    return ops.concat([point, narrow, wide, pooled], axis=1)


def forward(ops, x):
    x = conv_bn_relu(ops, x, "stem", 1, 16, 3)
    x = residual(ops, x, "res0", 16, 16)
    x = ops.max_pool(x, 2)
    x = inception(ops, x, "mixed", 16)
    x = residual(ops, x, "res1", 40, 32, stride=2)
    x = residual(ops, x, "res2", 32, 32)
    x = ops.flatten(ops.avg_pool(x, kernel=4, stride=4))
    return (ops.gemm(x, "classifier", 32, 10),)


RECIPE = Recipe(
    name="digits_residual",
    special="residual Adds, one over a 1x1 downsampling skip; Inception-like Concat of four "
            "branches; MaxPool, padded and plain AveragePool; unfolded BatchNormalization",
    input_shape=(1, 16, 16),
    outputs={"logits": (10,)},
    forward=forward,
    loss=cross_entropy,
    epoch=classification_epoch(16, channel_axis=True),
    stored=classification_stored(16, channel_axis=True),
    epochs=50,
)
