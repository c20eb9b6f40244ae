"""MobileNet in miniature: depthwise-separable blocks, BNs left unfolded, ReLU6 as Clip."""

from data import classification_epoch, classification_stored
from train import Recipe, cross_entropy

# (channels in, channels out, stride of the depthwise convolution)
BLOCKS = ((16, 24, 1), (24, 32, 2), (32, 48, 1), (48, 64, 2), (64, 80, 1))
# TensorFlow's "SAME" at stride 2: the odd pixel of padding goes to the bottom and the right.
STRIDE_2_PADS = (0, 0, 1, 1)


def conv_bn_relu6(ops, x, name, cin, cout, kernel, **conv):
    x = ops.conv(x, f"{name}.conv", cin, cout, kernel, **conv)
    x = ops.batch_norm(x, f"{name}.bn", cout)
    return ops.clip(x, 0.0, 6.0)


def forward(ops, x):
    x = conv_bn_relu6(ops, x, "stem", 1, BLOCKS[0][0], 3)
    for i, (cin, cout, stride) in enumerate(BLOCKS):
        pads = STRIDE_2_PADS if stride == 2 else None
        x = conv_bn_relu6(ops, x, f"block{i}.depthwise", cin, cin, 3,
                          stride=stride, pads=pads, groups=cin)
        x = conv_bn_relu6(ops, x, f"block{i}.pointwise", cin, cout, 1)
    x = ops.flatten(ops.global_avg_pool(x))
    return (ops.gemm(x, "classifier", BLOCKS[-1][1], 10),)


RECIPE = Recipe(
    name="digits_depthwise",
    special="MobileNet-like: depthwise-separable blocks, every Conv without bias and followed by "
            "an unfolded BatchNormalization, ReLU6 as Clip, asymmetric padding at stride 2",
    input_shape=(1, 16, 16),
    outputs={"logits": (10,)},
    forward=forward,
    loss=cross_entropy,
    epoch=classification_epoch(16, channel_axis=True),
    stored=classification_stored(16, channel_axis=True),
    epochs=60,
)
