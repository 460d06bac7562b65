"""A U-Net whose encoder has seen ImageNet (ours, not the original's): EfficientNet-Lite0 and a decoder, in Keras layers.

    stride   encoder (EfficientNet-Lite0)        decoder
    2        stem, stage 1             16
    4        stage 2                   24  ----> 1x1, joined, 3x3, 96 --> output
    8        stage 3                   40  ----> 1x1, joined, 3x3, 128
    16       stages 4 and 5           112  ----> 1x1, joined, 3x3, 128
    32       stages 6 and 7           320  ----> 1x1, 128

Every way up is bilinear, x2. ab is predicted at a quarter of the size and enlarged. Fully convolutional: any S divisible
by 32. Encoder: Tan & Le 2019 (arXiv 1905.11946) without squeeze-and-excitation and with ReLU6, which is its Lite form.
"""

import keras

from keras_port.unet_layout import AB_STRIDE, DECODER, SKIP_CHANNELS, SKIPS, STAGES, STEM, stem_and_stages
from preprocessing.ab_bins import bin_centres

BN_MOMENTUM = 0.99
BN_EPSILON = 1e-3
ENCODER = ("stem", "stage")  # the beginnings of its layers' names


def build_unet(frozen_stages=2, seed=0, dtype="float32"):
    """Build the network: L in [-1, 1], (N, S, S, 1) -> ab in [-1, 1], (N, S, S, 2), S divisible by 32.

    Parameters
    ----------
    frozen_stages : int, of the encoder, and its stem, that training leaves as they are
    dtype : a Keras dtype policy, "float32" or "mixed_bfloat16"
    """
    L, x = _body(frozen_stages, seed, dtype)
    x = _output(x, 2, seed, dtype)
    x = keras.layers.Activation("tanh", dtype="float32", name="small_ab")(x)
    ab = keras.layers.UpSampling2D(AB_STRIDE, interpolation="bilinear", dtype="float32", name="ab")(x)
    return keras.Model(L, ab, name="unet")


def build_unet_bins(frozen_stages=2, seed=0, dtype="float32"):
    """Build the network of the other objectives: L -> logits of Q ab bins, (N, S / 4, S / 4, Q)."""
    L, x = _body(frozen_stages, seed, dtype)
    x = _output(x, len(bin_centres()), seed, dtype)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(L, logits, name="unet_bins")


def _body(frozen_stages, seed, dtype):
    """The input and what the output stands on, (N, S / 4, S / 4, 96)."""
    layer = _Layers(seed, dtype)
    L = keras.Input((None, None, 1), name="L")
    stages = encoder(L, layer)
    for name in stem_and_stages(frozen_stages):
        for each in layer.made:
            if each.name.startswith(name):
                each.trainable = False
    return L, decoder(stages, layer)


def encoder(L, layer):
    """EfficientNet-Lite0 up to its last stage: a dictionary of stage number to output."""
    x = layer.convolved(L, "stem", STEM, 3, stride=2)
    outputs = {}
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES, start=1):
        for repeat in range(1, repeats + 1):
            x = inverted_bottleneck(
                x, f"stage{stage}_block{repeat}", kernel, stride if repeat == 1 else 1, expansion, channels, layer
            )
        outputs[stage] = x
    return outputs


def inverted_bottleneck(x, name, kernel, stride, expansion, channels, layer):
    """Expand, convolve each channel by itself, project without activation; added to x where the shapes are equal."""
    shortcut = x
    if expansion > 1:
        x = layer.convolved(x, f"{name}_expand", expansion * x.shape[-1], 1)
    x = layer.depthwise(x, f"{name}_depthwise", kernel, stride)
    x = layer.convolved(x, f"{name}_project", channels, 1, activation=None)
    return x + shortcut if stride == 1 and shortcut.shape[-1] == channels else x


def decoder(stages, layer):
    """From the last stage up to stride 4, joined with what the encoder saw there."""
    x = layer.convolved(stages[len(STAGES)], "decoder32", DECODER[0], 1)
    for stage, stride, channels, skip_channels in zip(SKIPS, (16, 8, 4), DECODER[1:], SKIP_CHANNELS, strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="bilinear", dtype=layer.dtype)(x)
        skip = layer.convolved(stages[stage], f"skip{stride}", skip_channels, 1)
        x = keras.layers.Concatenate(dtype=layer.dtype)([x, skip])
        x = layer.convolved(x, f"decoder{stride}", channels, 3)
    return x


def _output(x, channels, seed, dtype):
    """The last convolution; it starts near gray, where tanh is straight."""
    initializer = keras.initializers.VarianceScaling(0.02, "fan_in", seed=seed * 1000 + 999)
    return keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer=initializer, dtype=dtype, name="output")(
        x
    )


class _Layers:
    """Makes the layers of a network: convolution, batch normalisation and ReLU6 at one dtype, each with its own seed."""

    def __init__(self, seed, dtype):
        self.dtype = dtype
        self.made = []
        self._seeds = iter(range(seed * 1000, seed * 1000 + 999))

    def _initializer(self):
        return keras.initializers.VarianceScaling(2.0, "fan_in", seed=next(self._seeds))

    def convolved(self, x, name, channels, kernel, stride=1, activation="relu6"):
        convolution = keras.layers.Conv2D(
            channels,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=self._initializer(),
            dtype=self.dtype,
            name=name,
        )
        return self._normalised(convolution, x, activation)

    def depthwise(self, x, name, kernel, stride):
        convolution = keras.layers.DepthwiseConv2D(
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            depthwise_initializer=self._initializer(),
            dtype=self.dtype,
            name=name,
        )
        return self._normalised(convolution, x, "relu6")

    def _normalised(self, convolution, x, activation):
        norm = keras.layers.BatchNormalization(
            momentum=BN_MOMENTUM, epsilon=BN_EPSILON, dtype=self.dtype, name=f"{convolution.name}_bn"
        )
        self.made += [convolution, norm]
        x = norm(convolution(x))
        return keras.layers.Activation(activation, dtype=self.dtype)(x) if activation else x
