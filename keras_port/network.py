"""The networks at 128 px in Keras layers.

`build_seven_layer`: the report's (ORIGINAL.md, section 1), for any S divisible by 4. The same layers, arguments, variable
names and shapes as `tf_raw.network`: the weights of one are the weights of the other, and so 128 can start from 64.
`build_notebook`: the model of the original's colorization.ipynb (ORIGINAL.md, section 3), faults included.
The U-Nets, ours, are in unet.py.
"""

import keras
import numpy as np

from keras_port.unet import build_unet, build_unet_bins
from preprocessing.ab_bins import bin_centres
from preprocessing.lab import CODE, UNIT_RANGE
from preprocessing.options import dilation_rates
from preprocessing.tensorflow_import import has_dilated_gradient

BN_MOMENTUM = 0.99
BN_EPSILON = 1e-3
BATCH_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


def build_seven_layer(
    kernel=3, deconv_kernel=4, dropout=0.0, dilation=1, filters=64, stride=4, seed=0, dtype="float32"
):
    """Build the network: L in [-1, 1], (N, S, S, 1) -> ab in [-1, 1], (N, S, S, 2).

    Parameters
    ----------
    kernel, deconv_kernel : int, sides in pixels
    dropout : float, after each of the seven layers
    dilation : int, of conv4 to conv6, or three
    filters : int, of conv1; those of the others are in the report's proportion
    stride : int, of conv1 to conv6 together: 4 is the report's; at 2, conv3 and conv7 keep the size
    dtype : a Keras dtype policy, "float32" or "mixed_bfloat16"
    """
    L, x, initializer = _body(kernel, deconv_kernel, dropout, dilation, filters, stride, seed, dtype)
    x = keras.layers.Conv2DTranspose(
        2,
        deconv_kernel,
        strides=2,
        padding="same",
        kernel_initializer=initializer(0.01 * fan_in_share(2, 2, x)),
        dtype=dtype,
        name="output",
    )(x)
    ab = keras.layers.Activation("tanh", dtype="float32", name="ab")(x)
    return keras.Model(L, ab, name="seven_layer")


def build_bins(
    kernel=3, deconv_kernel=4, dropout=0.0, dilation=1, filters=64, stride=4, bins_at=4, seed=0, dtype="float32"
):
    """Build the network of the other objectives: L -> logits of Q ab bins, (N, S / bins_at, S / bins_at, Q).

    The same body and the same output as `tf_raw.network.BinsNetwork`; arguments as in `build_seven_layer`.
    """
    L, x, initializer = _body(kernel, deconv_kernel, dropout, dilation, filters, stride, seed, dtype, bins_at == 2)
    x = keras.layers.Conv2D(len(bin_centres()), 1, kernel_initializer=initializer(0.01), dtype=dtype, name="output")(x)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(L, logits, name="bins")


def _body(kernel, deconv_kernel, dropout, dilation, filters, stride, seed, dtype, with_conv7=True):
    """The report's layers: the input, the last one's output, and what makes the next initializer."""
    inner = stride // 2  # of conv3 and conv7
    seeds = iter(range(seed * 100, seed * 100 + 100))

    def initializer(scale=1.0):
        return keras.initializers.VarianceScaling(2.0 * scale, "fan_in", seed=next(seeds))

    def block(x, name, channels, stride=1, deconvolution=False, dilation=1):
        scale = fan_in_share(channels, stride, x) if deconvolution else 1.0
        convolution = keras.layers.Conv2DTranspose if deconvolution else DilatedConv2D
        side = deconv_kernel if deconvolution else kernel
        x = convolution(
            channels,
            side,
            strides=stride,
            dilation_rate=dilation,
            padding="same",
            activation="relu",
            use_bias=False,
            kernel_initializer=initializer(scale),
            dtype=dtype,
            name=name,
        )(x)
        x = keras.layers.BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, dtype=dtype, name=f"{name}_bn")(x)
        return keras.layers.Dropout(dropout, seed=next(seeds), dtype=dtype)(x) if dropout else x

    L = keras.Input((None, None, 1), name="L")
    x = block(L, "conv1", filters)
    x = block(x, "conv2", 2 * filters, stride=2)
    x = block(x, "conv3", 2 * filters, stride=inner)
    for name, rate in zip(("conv4", "conv5", "conv6"), dilation_rates(dilation), strict=True):
        x = block(x, name, 4 * filters, dilation=rate)
    if with_conv7:
        x = block(x, "conv7", 2 * filters, stride=inner, deconvolution=True)
    return L, x, initializer


class DilatedConv2D(keras.layers.Conv2D):
    """Keras' convolution, which can be dilated also where TensorFlow's kernels have no gradient of that."""

    def convolution_op(self, inputs, kernel):
        """Keras' own, or what `tf_raw.layers.conv2d` does there."""
        plain = set(self.dilation_rate) == {1} or keras.backend.backend() != "tensorflow"
        if plain or has_dilated_gradient():
            return super().convolution_op(inputs, kernel)
        import tensorflow as tf

        def convolution(x, _, padding):
            return tf.nn.conv2d(x, kernel, 1, padding)

        return tf.compat.v1.nn.with_space_to_batch(inputs, self.dilation_rate, "SAME", convolution, kernel.shape)


def fan_in_share(channels, stride, x):
    """Keras' fan-in of a deconvolution of `x` over the true one: it counts outputs, and each of them from every tap."""
    return channels * stride**2 / x.shape[-1]


NOTEBOOK_SIDE = 128  # px; its dense layer admits no other


def build_notebook(seed=0, dtype="float32"):
    """Build the notebook's model: L in 0..255, (N, 128, 128, 1) -> 8-bit codes of ab, (N, 128, 128, 2).

    All that it knows of a picture passes through one vector of 64 values (erratum 8).
    """
    seeds = iter(range(seed * 100, seed * 100 + 100))

    def layer(kind, *arguments, **options):
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        return kind(*arguments, kernel_initializer=initializer, dtype=dtype, **options)

    def convolution(index, filters, side):
        return layer(keras.layers.Conv2D, filters, side, activation="relu", name=f"conv{index}")

    def norm(index):
        return keras.layers.BatchNormalization(dtype=dtype, name=f"conv{index}_bn")

    pixels = NOTEBOOK_SIDE**2
    layers = [
        keras.Input((NOTEBOOK_SIDE, NOTEBOOK_SIDE, 1), name="L"),
        convolution(1, 16, 5),  # 124
        keras.layers.MaxPooling2D(),
        convolution(2, 16, 4),  # 59
        norm(2),
        keras.layers.MaxPooling2D(),
        convolution(3, 32, 4),  # 26
        keras.layers.MaxPooling2D(),
        convolution(4, 32, 4),  # 10
        norm(4),
        keras.layers.MaxPooling2D(),
        convolution(5, 64, 3),  # 3
        convolution(6, 64, 3),  # 1
        norm(6),
        keras.layers.Flatten(),
        layer(keras.layers.Dense, 2 * pixels, name="output"),  # all of a, then all of b
        keras.layers.Reshape((2, NOTEBOOK_SIDE, NOTEBOOK_SIDE)),
        keras.layers.Permute((2, 3, 1), dtype="float32", name="ab"),
    ]
    return keras.Sequential(layers, name="notebook")


BUILDERS = {
    "seven_layer": build_seven_layer,
    "bins": build_bins,
    "notebook": build_notebook,
    "unet": build_unet,
    "unet_bins": build_unet_bins,
}
UNITS = {name: CODE if name == "notebook" else UNIT_RANGE for name in BUILDERS}


def build_network(name, arguments, seed=0, dtype="float32"):
    """Build a network from its name and arguments, as a configuration or a weights file has them."""
    return BUILDERS[name](**arguments, seed=seed, dtype=dtype)


def _variables(model):
    """Name -> Keras variable, with the names and in the order of `tf_raw.network`."""
    variables = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            name = layer.name.removesuffix("_bn")
            variables.update({f"{name}/{part}": getattr(layer, part) for part in BATCH_NORM_PARTS})
        elif layer.weights:
            variables[f"{layer.name}/kernel"] = layer.kernel
            if layer.use_bias:
                variables[f"{layer.name}/bias"] = layer.bias
    return variables


def assign(model, arrays):
    """Set every variable from a dictionary of arrays with the same names and shapes."""
    for name, variable in _variables(model).items():
        variable.assign(arrays[name])


def to_arrays(model):
    """Every variable as a float32 NumPy array, by name, in order."""
    return {name: np.array(keras.ops.convert_to_numpy(variable)) for name, variable in _variables(model).items()}
