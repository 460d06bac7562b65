"""The seven-layer network of the report's figure 1 (ORIGINAL.md, section 1).

    layer   filters  side for S = 64
    conv1      64        64           Each of the seven: convolution, ReLU, batch normalisation, dropout;
    conv2     128        32           no bias, since batch normalisation has one.
    conv3     128        16
    conv4     256        16
    conv5     256        16
    conv6     256        16
    conv7     128        32           deconvolution, x2
    output      2        64           deconvolution, x2, bias; tanh

It is fully convolutional: the same weights take any S divisible by 4.
"""

import numpy as np
import tensorflow as tf

from preprocessing.ab_bins import bin_centres
from preprocessing.lab import UNIT_RANGE
from preprocessing.options import dilation_rates
from tf_raw.config import SevenLayerArguments
from tf_raw.layers import batch_norm, conv2d, conv2d_transpose, dropout, he_normal
from tf_raw.variables import Network

LAYERS = (  # name, filters, stride, operation
    ("conv1", 64, 1, "conv"),
    ("conv2", 128, 2, "conv"),
    ("conv3", 128, 2, "conv"),
    ("conv4", 256, 1, "conv"),
    ("conv5", 256, 1, "conv"),
    ("conv6", 256, 1, "conv"),
    ("conv7", 128, 2, "deconv"),
)
DILATED = ("conv4", "conv5", "conv6")  # by `dilation`: what table 1 calls "dilation rate or stride", as we read it
BATCH_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


class Body(Network):
    """The report's layers without an output, which a subclass adds."""

    units = UNIT_RANGE

    def __init__(self, arguments):
        super().__init__()
        self.arguments = arguments
        self._dilation = dict(zip(DILATED, dilation_rates(arguments.dilation), strict=True))

    def body(self, L, layers, training, seed, compute_dtype):
        """Forward pass through `layers`, some first ones of LAYERS."""
        x = tf.cast(L, compute_dtype)  # (N, S, S, 1)
        for index, (name, _, stride, operation) in enumerate(layers):
            kernel = self.variables[f"{name}/kernel"]
            if operation == "conv":
                x = conv2d(x, kernel, stride, self._dilation.get(name, 1))
            else:
                x = conv2d_transpose(x, kernel, stride)
            x = tf.nn.relu(x)
            statistics = [self.variables[f"{name}/{part}"] for part in BATCH_NORM_PARTS]
            x = batch_norm(x, *statistics, training)
            if training and self.arguments.dropout:
                x = dropout(x, self.arguments.dropout, [seed[0], seed[1] * len(LAYERS) + index])
        return x

    def add_body(self, layers, random):
        """Create the variables of `layers` and return the channels of the last."""
        channels = 1
        for name, filters, stride, operation in layers:
            self._add_kernel(name, channels, filters, stride, operation, random)
            self.add(f"{name}/gamma", np.ones(filters))
            self.add(f"{name}/beta", np.zeros(filters))
            self.add(f"{name}/moving_mean", np.zeros(filters), trainable=False)
            self.add(f"{name}/moving_variance", np.ones(filters), trainable=False)
            channels = filters
        return channels

    def _add_kernel(self, name, channels, filters, stride, operation, random, scale=1.0):
        if operation == "conv":
            side, shape = self.arguments.kernel, (self.arguments.kernel, self.arguments.kernel, channels, filters)
            fan_in = side**2 * channels
        else:
            side, shape = self.arguments.deconv_kernel, (*[self.arguments.deconv_kernel] * 2, filters, channels)
            fan_in = side**2 * channels / stride**2  # each output pixel meets that many inputs
        self.add(f"{name}/kernel", scale * he_normal(shape, fan_in, random))


class SevenLayerNetwork(Body):
    """L in [-1, 1], (N, S, S, 1) -> ab in [-1, 1], (N, S, S, 2)."""

    def __init__(self, arguments=SevenLayerArguments(), seed=0):  # noqa: B008 - frozen
        super().__init__(arguments)
        random = np.random.default_rng(seed)
        channels = self.add_body(LAYERS, random)
        # starts near gray, where tanh is straight
        self._add_kernel("output", channels, 2, 2, "deconv", random, scale=0.1)
        self.add("output/bias", np.zeros(2))

    def __call__(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32):
        x = self.body(L, LAYERS, training, seed, compute_dtype)  # (N, S / 2, S / 2, 128)
        x = conv2d_transpose(x, self.variables["output/kernel"], 2)
        return tf.tanh(tf.cast(x, tf.float32) + self.variables["output/bias"])


class BinsNetwork(Body):
    """L in [-1, 1], (N, S, S, 1) -> logits of Q ab bins, (N, S / bins_at, S / bins_at, Q) (ours, after Zhang et al. 2016).

    The report's body up to conv6 with a 1x1 convolution where the paper predicts, at a quarter of the size; at half the
    size (`bins_at` 2) it stands on conv7.
    """

    def __init__(self, arguments=SevenLayerArguments(), bins_at=4, seed=0):  # noqa: B008 - frozen
        super().__init__(arguments)
        self._layers = LAYERS if bins_at == 2 else LAYERS[:-1]
        random = np.random.default_rng(seed)
        channels = self.add_body(self._layers, random)
        bins = len(bin_centres())
        self.add("output/kernel", 0.1 * he_normal((1, 1, channels, bins), channels, random))
        self.add("output/bias", np.zeros(bins))

    def __call__(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32):
        x = self.body(L, self._layers, training, seed, compute_dtype)
        x = conv2d(x, self.variables["output/kernel"])
        return tf.cast(x, tf.float32) + self.variables["output/bias"]
