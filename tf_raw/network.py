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

from dataclasses import asdict

import numpy as np
import tensorflow as tf

from tf_raw.config import SevenLayerArguments
from tf_raw.layers import batch_norm, conv2d, conv2d_transpose, dropout, he_normal

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


class SevenLayerNetwork:
    """L in [-1, 1], (N, S, S, 1) -> ab in [-1, 1], (N, S, S, 2)."""

    def __init__(self, arguments=SevenLayerArguments(), seed=0):  # noqa: B008 - frozen
        self.arguments = arguments
        self.variables = {}  # name -> tf.Variable, in the order in which x meets them
        random = np.random.default_rng(seed)
        channels = 1
        for name, filters, stride, operation in LAYERS:
            self._add_kernel(name, channels, filters, stride, operation, random)
            self._add(f"{name}/gamma", np.ones(filters))
            self._add(f"{name}/beta", np.zeros(filters))
            self._add(f"{name}/moving_mean", np.zeros(filters), trainable=False)
            self._add(f"{name}/moving_variance", np.ones(filters), trainable=False)
            channels = filters
        self._add_kernel(
            "output", channels, 2, 2, "deconv", random, scale=0.1
        )  # starts near gray, where tanh is straight
        self._add("output/bias", np.zeros(2))

    @property
    def trainable_variables(self):
        """The variables that gradients change, in order; moving statistics are not among them."""
        return [variable for variable in self.variables.values() if variable.trainable]

    def __call__(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32):
        """Forward pass; `seed` (two integers) draws the dropout, `compute_dtype` is that of the activations."""
        x = tf.cast(L, compute_dtype)  # (N, S, S, 1)
        for index, (name, _, stride, operation) in enumerate(LAYERS):
            kernel = self.variables[f"{name}/kernel"]
            if operation == "conv":
                x = conv2d(x, kernel, stride, self.arguments.dilation if name in DILATED else 1)
            else:
                x = conv2d_transpose(x, kernel, stride)
            x = tf.nn.relu(x)
            statistics = [self.variables[f"{name}/{part}"] for part in BATCH_NORM_PARTS]
            x = batch_norm(x, *statistics, training)
            if training and self.arguments.dropout:
                x = dropout(x, self.arguments.dropout, [seed[0], seed[1] * len(LAYERS) + index])
        # x is (N, S / 2, S / 2, 128)
        x = conv2d_transpose(x, self.variables["output/kernel"], 2)
        return tf.tanh(tf.cast(x, tf.float32) + self.variables["output/bias"])

    def assign(self, arrays):
        """Set every variable from a dictionary of arrays with the same names and shapes."""
        for name, variable in self.variables.items():
            variable.assign(arrays[name])

    def move_towards(self, other, share):
        """Move every variable by `share` of the way to that of `other`, a network like this one."""
        for mine, theirs in zip(self.variables.values(), other.variables.values(), strict=True):
            mine.assign_add(share * (theirs - mine))

    def to_arrays(self):
        """Every variable as a NumPy array, by name, in order."""
        return {name: variable.numpy() for name, variable in self.variables.items()}

    def arguments_dict(self):
        """The arguments as plain values, for the weights file."""
        return asdict(self.arguments)

    def _add(self, name, values, trainable=True):
        self.variables[name] = tf.Variable(values.astype(np.float32), trainable=trainable, name=name)

    def _add_kernel(self, name, channels, filters, stride, operation, random, scale=1.0):
        if operation == "conv":
            side, shape = self.arguments.kernel, (self.arguments.kernel, self.arguments.kernel, channels, filters)
            fan_in = side**2 * channels
        else:
            side, shape = self.arguments.deconv_kernel, (*[self.arguments.deconv_kernel] * 2, filters, channels)
            fan_in = side**2 * channels / stride**2  # each output pixel meets that many inputs
        self._add(f"{name}/kernel", scale * he_normal(shape, fan_in, random))
