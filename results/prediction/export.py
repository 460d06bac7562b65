"""A network as one file that other programs run: L* in, CIE ab out, in ONNX or TensorFlow Lite.

What predicting adds to a network is in it: the mean over the picture and its mirror image, and a bins network's decoding
as it was chosen. Vibrance is not: its factor stands in the file's metadata, for who wants to multiply ab by it.
"""

import json

import numpy as np

from preprocessing.ab_bins import bin_centres
from preprocessing.files import UserError
from results.prediction.networks import NETWORKS, sides
from results.prediction.onnx_graph import Graph, Tensor
from results.prediction.predict import colorizer_from, multiple_of
from results.prediction.weights import find_weights, load_weights

CODES = 255 / 100  # 8-bit codes in one unit of L*
LEAST_SHARE = 1e-30  # of a bin, before its logarithm
APACHE = "Apache-2.0 for the encoder's weights (EfficientNet-Lite0, changed), MIT for the rest"


def load(name_or_path):
    """The network and its arrays by name.

    Raises
    ------
    UserError
        As `load_colorizer`, or it is one of the original's own graphs, which stay in TensorFlow.
    """
    path = find_weights(name_or_path)
    weights = load_weights(path)
    if weights.attributes["network"] not in NETWORKS:
        raise UserError(f"{path} holds {weights.attributes['network']}, which is kept for the errata: not exported")
    return colorizer_from(weights, path), weights.arrays


def to_onnx(colorizer, arrays):
    """The bytes of an ONNX file: `L`, (N, H, W, 1), to `ab`, (N, H, W, 2), float32; N, H and W are free."""
    network, units, graph = colorizer.attributes["network"], colorizer.units, Graph(arrays)
    x = graph.add("Transpose", [Tensor("L", 1)], 1, perm=[0, 3, 1, 2])
    x = graph.add("Mul", [x, np.float32(CODES / units.L_scale)], 1)
    x = graph.add("Sub", [x, np.float32(units.L_zero / units.L_scale)], 1)
    if colorizer.mirror_average:
        x = graph.add("Concat", [x, graph.mirrored(x)], 1, axis=0)
    x = NETWORKS[network](graph, x, **colorizer.attributes["arguments"])
    if colorizer.predicts_bins:
        adjustment = np.broadcast_to(np.float32(colorizer.adjustment), x.channels).reshape(-1, 1, 1)
        x = graph.add("Softmax", [graph.add("Sub", [x, adjustment], x.channels)], x.channels, axis=1)
    if colorizer.mirror_average:
        own, other = graph.halves(x)
        x = graph.add("Add", [own, graph.mirrored(other)], x.channels)
        x = graph.add("Mul", [x, np.float32(0.5)], x.channels)
    if colorizer.predicts_bins:
        x = graph.enlarged(x, colorizer.attributes["arguments"].get("bins_at", 4))
        x = graph.add("Log", [graph.add("Max", [x, np.float32(LEAST_SHARE)], x.channels)], x.channels)
        x = graph.add("Mul", [x, np.float32(1 / colorizer.temperature)], x.channels)
        x = graph.convolution(graph.add("Softmax", [x], x.channels, axis=1), bin_centres()[None, None])
    else:
        x = graph.add("Sub", [x, np.float32(units.ab_zero)], 2)
        x = graph.add("Mul", [x, np.float32(units.ab_scale)], 2)
    graph.add("Transpose", [x], 2, name="ab", perm=[0, 2, 3, 1])
    free = sides(network)
    texts = properties(colorizer, ("N", *free))
    shapes = {"L": ["N", *free, 1]}, {"ab": ["N", *free, 2]}
    return graph.model(colorizer.name, *shapes, properties=texts, doc_string=described(texts)).SerializeToString()


def to_tflite(colorizer, arrays, bits=32):
    """The bytes of a TensorFlow Lite file: `L`, (1, S, S, 1), to `ab`, (1, S, S, 2), float32; made with TensorFlow.

    Parameters
    ----------
    bits : of the weights: 32, 16, or 8, with which TensorFlow Lite computes in 8 bits too where it can
    """
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    side = colorizer.resolution
    model = _in_keras(colorizer, arrays)
    module = tf.Module()
    module.kept = [variable.value for variable in model.variables]  # without this the converter leaves them out
    L = tf.TensorSpec((1, side, side, 1), tf.float32, "L")
    predict = tf.function(lambda L: {"ab": _predicted(model, colorizer, L)}, [L], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([predict.get_concrete_function()], module)
    if bits < 32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if bits == 16:
        converter.target_spec.supported_types = [tf.float16]
    lite = flatbuffer_utils.read_model_from_bytearray(bytearray(converter.convert()))
    texts = properties(colorizer, (1, side, side))
    lite.description = described(texts)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = json.dumps(texts).encode()
    entry.name, entry.buffer = "colorize", len(lite.buffers)
    lite.buffers.append(buffer)
    lite.metadata = [*(lite.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(lite))


def _in_keras(colorizer, arrays):
    from keras_port.network import assign, build_network

    model = build_network(colorizer.attributes["network"], colorizer.attributes["arguments"])
    assign(model, arrays)
    return model


def _predicted(model, colorizer, L):
    """L* -> CIE ab in TensorFlow: what `to_onnx` writes node by node."""
    import tensorflow as tf

    x = colorizer.units.lightness_from_code(L * CODES)
    if colorizer.mirror_average:
        x = tf.concat([x, tf.reverse(x, [2])], axis=0)
    x = model(x, training=False)
    if colorizer.predicts_bins:
        x = tf.nn.softmax(x - colorizer.adjustment)
    if colorizer.mirror_average:
        x = (x[:1] + tf.reverse(x[1:], [2])) / 2
    if not colorizer.predicts_bins:
        return colorizer.units.cie_ab(x)
    x = tf.image.resize(x, L.shape[1:3])
    x = tf.nn.softmax(tf.math.log(tf.maximum(x, LEAST_SHARE)) / colorizer.temperature)
    return tf.tensordot(x, bin_centres(), 1)


def properties(colorizer, shape):
    """What a file says of itself, as texts by name; `shape` is that of L and ab, without their channels."""
    attributes = colorizer.attributes
    n, height, width = shape
    texts = {
        "name": colorizer.name,
        "input": f"L: float32 ({n}, {height}, {width}, 1), CIE L* (D65), 0 to 100",
        "output": f"ab: float32 ({n}, {height}, {width}, 2), CIE a* and b* (D65)",
        "vibrance": f"{colorizer.vibrance}, not applied: ab times it is as colourful as photographs are",
        "trained_on": f"{attributes.get('data', 'unknown data')}, at {colorizer.resolution} px",
        "license": APACHE if attributes["network"].startswith("unet") else "MIT",
    }
    if height == "H":
        texts["sides"] = f"H and W: divisible by {multiple_of(attributes['network'])}"
    if colorizer.predicts_bins:
        undone = attributes.get("rebalancing_undone", 0)
        texts["decoding"] = (
            f"annealed mean of {len(bin_centres())} ab bins at temperature {colorizer.temperature}, "
            f"with {undone:g} of the rebalancing undone"
        )
    return texts


def described(texts):
    """`properties` as one text."""
    return "\n".join(["Colours for gray photographs.", *(f"{name}: {text}" for name, text in texts.items())])
