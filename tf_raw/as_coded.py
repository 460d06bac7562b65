"""The two low-level graphs that the original's repository holds (ORIGINAL.md, section 2), layer by layer, faults included.

Neither is the network of its report (erratum 3). A layer reads the layer it names; what no later layer reads is dead
(erratum 4): it is computed for nothing and never trained, and stands here because it stands there.
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from preprocessing.lab import CIE, CODE
from tf_raw.layers import batch_norm, batch_norm_by_batch, conv2d, dropout, glorot_uniform, max_pool
from tf_raw.variables import Network

SIDE = 64  # px; dense layers and the reshaped softmax admit no other


@dataclass(frozen=True)
class Layer:
    """One op of a graph: `reads` names the layer whose output it takes."""

    name: str
    op: str  # "conv" (with ReLU), "pool", "norm", "softmax conv", "flatten", "dense", "dropout"
    reads: str
    filters: int = 0
    kernel: int = 0


CONV_NET = (  # `conv_net` of colorize_cnn.py, 'valid' padding      output side x filters
    Layer("conv1", "conv", "L", 16, 5),  # 60 x 16
    Layer("pool1", "pool", "conv1"),  # 30
    Layer("conv2", "conv", "pool1", 16, 5),  # 26 x 16
    Layer("norm2", "norm", "conv2"),
    Layer("pool2", "pool", "norm2"),  # dead
    Layer("conv3", "conv", "norm2", 32, 3),  # 24 x 32
    Layer("pool3", "pool", "conv3"),  # 12
    Layer("conv4", "conv", "pool3", 32, 3),  # 10 x 32
    Layer("norm4", "norm", "conv4"),
    Layer("pool4", "pool", "norm4"),  # dead
    Layer("conv5", "conv", "norm4", 64, 2),  # 9 x 64
    Layer("pool5", "pool", "conv5"),  # dead
    Layer("conv6", "conv", "conv5", 64, 2),  # 8 x 64
    Layer("norm6", "norm", "conv6"),
    Layer("output", "softmax conv", "norm6", 128, 1),  # 8 x 128
)

DENSE_NET = (  # of new_process.ipynb, 'same' padding
    Layer("conv1", "conv", "L", 32, 5),  # 64 x 32
    Layer("pool1", "pool", "conv1"),
    Layer("conv2", "conv", "pool1", 64, 5),  # 32 x 64
    Layer("pool2", "pool", "conv2"),
    Layer("conv3", "conv", "pool2", 128, 5),  # 16 x 128
    Layer("pool3", "pool", "conv3"),  # dead, and all above with it
    Layer("conv4", "conv", "L", 256, 5),  # 64 x 256: from the input layer
    Layer("pool4", "pool", "conv4"),  # 32 x 256
    Layer("flat", "flatten", "pool4"),
    Layer("dense1", "dense", "flat", 1024),  # no activation
    Layer("drop1", "dropout", "dense1"),
    Layer("output", "dense", "drop1", 2 * SIDE * SIDE),
)
DROPOUT = 0.2  # of DENSE_NET


class GraphAsCoded(Network):
    """A graph of `layers` over L, (N, 64, 64, 1)."""

    def __init__(self, layers, padding, seed):
        super().__init__()
        self._layers, self._padding = layers, padding
        random = np.random.default_rng(seed)
        shapes = {"L": (SIDE, SIDE, 1)}
        for layer in layers:
            shapes[layer.name] = self._add_layer(layer, shapes[layer.reads], random)

    def _add_layer(self, layer, shape, random):
        """Create a layer's variables and return the shape of its output, without N."""
        if layer.op == "pool":
            return (shape[0] // 2, shape[1] // 2, shape[2])
        if layer.op == "flatten":
            return (int(np.prod(shape)),)
        if layer.op in ("conv", "softmax conv", "dense"):
            kernel = (layer.kernel, layer.kernel) if layer.kernel else ()
            self.add(f"{layer.name}/kernel", glorot_uniform((*kernel, shape[-1], layer.filters), random))
            self.add(f"{layer.name}/bias", np.zeros(layer.filters))
            lost = layer.kernel - 1 if layer.kernel and self._padding == "VALID" else 0
            return (*[side - lost for side in shape[:-1]], layer.filters)
        if layer.op == "norm":
            self.add(f"{layer.name}/gamma", np.ones(shape[-1]))
            self.add(f"{layer.name}/beta", np.zeros(shape[-1]))
            self.add(f"{layer.name}/moving_mean", np.zeros(shape[-1]), trainable=False)
            self.add(f"{layer.name}/moving_variance", np.ones(shape[-1]), trainable=False)
        return shape

    def outputs(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32, moving_statistics=False):
        """The output of every layer, by name."""
        outputs = {"L": tf.cast(L, compute_dtype)}
        for layer in self._layers:
            with tf.name_scope(layer.name):  # by which a walk through the graph finds it
                x = outputs[layer.reads]
                outputs[layer.name] = self._output(layer, x, training, seed, moving_statistics)
        return outputs

    def _output(self, layer, x, training, seed, moving_statistics):
        prefix = f"{layer.name}/"
        parts = [variable for name, variable in self.variables.items() if name.startswith(prefix)]
        if layer.op == "conv":
            return tf.nn.relu(self._convolved(x, *parts))
        if layer.op == "softmax conv":
            return tf.nn.softmax(tf.cast(self._convolved(x, *parts), tf.float32))
        if layer.op == "pool":
            return max_pool(x)
        if layer.op == "norm":
            by_batch = not training and not moving_statistics
            return batch_norm_by_batch(x, *parts[:2]) if by_batch else batch_norm(x, *parts, training)
        if layer.op == "flatten":
            return tf.reshape(x, [tf.shape(x)[0], np.prod(x.shape[1:])])
        if layer.op == "dense":
            kernel, bias = (tf.cast(part, x.dtype) for part in parts)
            return x @ kernel + bias
        return dropout(x, DROPOUT, seed) if training else x

    def _convolved(self, x, kernel, bias):
        return conv2d(x, kernel, padding=self._padding) + tf.cast(bias, x.dtype)


class ConvNetAsCoded(GraphAsCoded):
    """colorize_cnn.py's graph: the softmax over 128 channels of 8 x 8 cells is read as 64 x 64 x 2 values of ab.

    Batch normalisation is in training mode at test time too: a picture's colours depend on those beside it. With
    `moving_statistics` it is not.
    """

    units = CIE

    def __init__(self, seed=0):
        super().__init__(CONV_NET, "VALID", seed)

    def __call__(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32, moving_statistics=False):
        cells = self.outputs(L, training, seed, compute_dtype, moving_statistics)["output"]  # (N, 8, 8, 128)
        return tf.reshape(cells, [-1, SIDE, SIDE, 2])


class DenseNetAsCoded(GraphAsCoded):
    """new_process.ipynb's graph: 277 million parameters, most of them from 32 x 32 x 256 values to 1,024.

    `widest` caps the filters of its hidden layers, for a look at the graph alone: the whole takes gigabytes.
    """

    units = CODE

    def __init__(self, seed=0, widest=1024):
        hidden = [replace(layer, filters=min(layer.filters, widest)) for layer in DENSE_NET[:-1]]
        super().__init__((*hidden, DENSE_NET[-1]), "SAME", seed)

    def __call__(self, L, training=False, seed=(0, 0), compute_dtype=tf.float32):
        planes = self.outputs(L, training, seed, compute_dtype)["output"]  # (N, 8192): all of a, then all of b
        planes = tf.reshape(tf.cast(planes, tf.float32), [-1, 2, SIDE, SIDE])
        return tf.transpose(planes, [0, 2, 3, 1])
