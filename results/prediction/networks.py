"""The networks as ONNX graphs, whichever package trained them: the third writing of each, after `tf_raw` and `keras_port`.

Names and shapes of the arrays are those of tf_raw/network.py, keras_port/network.py and keras_port/unet.py. The order
convolution, ReLU, batch normalisation of the report's network keeps a normalisation's shift out of the next kernel: beyond
the border there is 0, and not the shift.
"""

import numpy as np

from keras_port.unet_layout import AB_STRIDE, DECODER, SKIP_CHANNELS, SKIPS, STAGES, STEM, stem_and_stages
from preprocessing.ab_bins import bin_centres
from preprocessing.lab import CODE, UNIT_RANGE
from preprocessing.options import dilation_rates
from results.prediction.onnx_graph import VALID, Graph, Tensor

NOTEBOOK_SIDE = 128  # px; its dense layer admits no other


def seven_layer(graph, L, deconv_kernel=4, **body):
    """L -> ab, both in [-1, 1]; arguments as in keras_port.network.build_seven_layer."""
    x = _body(graph, L, deconv_kernel=deconv_kernel, **body)
    kernel = graph.variable("output/kernel", deconv_kernel, deconv_kernel, 2, x.channels)
    x = graph.deconvolution(x, kernel, graph.variable("output/bias", 2), 2)
    return graph.add("Tanh", [x], 2)


def bins(graph, L, bins_at=4, **body):
    """L in [-1, 1] -> logits of the ab bins at 1 / `bins_at` of the size."""
    x = _body(graph, L, with_conv7=bins_at == 2, **body)
    count = len(bin_centres())
    return graph.convolution(
        x, graph.variable("output/kernel", 1, 1, x.channels, count), graph.variable("output/bias", count)
    )


def _body(graph, x, kernel=3, deconv_kernel=4, dropout=0.0, dilation=1, filters=64, stride=4, with_conv7=True):
    inner = stride // 2  # of conv3 and conv7
    layers = [("conv1", filters, 1, 1), ("conv2", 2 * filters, 2, 1), ("conv3", 2 * filters, inner, 1)]
    layers += [(f"conv{4 + i}", 4 * filters, 1, rate) for i, rate in enumerate(dilation_rates(dilation))]
    for name, channels, step, rate in layers:
        weights = graph.variable(f"{name}/kernel", kernel, kernel, x.channels, channels)
        x = _normalised(graph, graph.relu(graph.convolution(x, weights, stride=step, dilation=rate)), name)
    if with_conv7:
        weights = graph.variable("conv7/kernel", deconv_kernel, deconv_kernel, 2 * filters, x.channels)
        x = _normalised(graph, graph.relu(graph.deconvolution(x, weights, stride=inner)), "conv7")
    return x


def _normalised(graph, x, name):
    scale, shift = (part.reshape(-1, 1, 1) for part in graph.scale_and_shift(name, x.channels))
    return graph.add("Add", [graph.add("Mul", [x, scale], x.channels), shift], x.channels)


def notebook(graph, L):
    """The notebook's model: L in 0..255, 128 x 128 -> 8-bit codes of ab."""

    def convolved(x, number, filters, side):
        kernel = graph.variable(f"conv{number}/kernel", side, side, x.channels, filters)
        bias = graph.variable(f"conv{number}/bias", filters)
        return graph.relu(graph.convolution(x, kernel, bias, padding=VALID))

    def pooled(x):
        return graph.add("MaxPool", [x], x.channels, kernel_shape=[2, 2], strides=[2, 2])

    x = pooled(convolved(L, 1, 16, 5))
    x = pooled(_normalised(graph, convolved(x, 2, 16, 4), "conv2"))
    x = pooled(convolved(x, 3, 32, 4))
    x = pooled(_normalised(graph, convolved(x, 4, 32, 4), "conv4"))
    x = _normalised(graph, convolved(convolved(x, 5, 64, 3), 6, 64, 3), "conv6")  # 1 x 1
    count = 2 * NOTEBOOK_SIDE**2  # all of a, then all of b
    x = graph.add("Flatten", [x], 64)
    x = graph.add("Gemm", [x, graph.variable("output/kernel", 64, count), graph.variable("output/bias", count)], count)
    return graph.add("Reshape", [x, np.array([-1, 2, NOTEBOOK_SIDE, NOTEBOOK_SIDE])], 2)


def unet(graph, L, frozen_stages=2):
    """L -> ab, both in [-1, 1]."""
    x = _unet_output(graph, _decoder(graph, _encoder(graph, L)), 2)
    return graph.enlarged(graph.add("Tanh", [x], 2), AB_STRIDE)


def unet_bins(graph, L, frozen_stages=2):
    """L in [-1, 1] -> logits of the ab bins at a quarter of the size."""
    return _unet_output(graph, _decoder(graph, _encoder(graph, L)), len(bin_centres()))


def _encoder(graph, L):
    """EfficientNet-Lite0 up to its last stage: a dictionary of stage number to output."""
    x = _convolved(graph, L, "stem", STEM, 3, stride=2)
    outputs = {}
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES, start=1):
        for repeat in range(1, repeats + 1):
            name, step = f"stage{stage}_block{repeat}", stride if repeat == 1 else 1
            x = _inverted_bottleneck(graph, x, name, kernel, step, expansion, channels)
        outputs[stage] = x
    return outputs


def _inverted_bottleneck(graph, x, name, kernel, stride, expansion, channels):
    shortcut = x
    if expansion > 1:
        x = _convolved(graph, x, f"{name}_expand", expansion * x.channels, 1)
    x = _convolved(graph, x, f"{name}_depthwise", x.channels, kernel, stride, depthwise=True)
    x = _convolved(graph, x, f"{name}_project", channels, 1, activation=False)
    return graph.add("Add", [x, shortcut], channels) if stride == 1 and shortcut.channels == channels else x


def _decoder(graph, stages):
    x = _convolved(graph, stages[len(STAGES)], "decoder32", DECODER[0], 1)
    for stage, stride, channels, skip_channels in zip(SKIPS, (16, 8, 4), DECODER[1:], SKIP_CHANNELS, strict=True):
        x = graph.enlarged(x, 2)
        skip = _convolved(graph, stages[stage], f"skip{stride}", skip_channels, 1)
        x = graph.add("Concat", [x, skip], x.channels + skip_channels, axis=1)
        x = _convolved(graph, x, f"decoder{stride}", channels, 3)
    return x


def _unet_output(graph, x, channels):
    kernel = graph.variable("output/kernel", 3, 3, x.channels, channels)
    return graph.convolution(x, kernel, graph.variable("output/bias", channels))


def _convolved(graph, x, name, channels, side, stride=1, depthwise=False, activation=True):
    """Convolution, batch normalisation (folded: nothing lies between) and ReLU6."""
    if depthwise:
        kernel = graph.variable(f"{name}/kernel", side, side, channels, 1).transpose(0, 1, 3, 2)
    else:
        kernel = graph.variable(f"{name}/kernel", side, side, x.channels, channels)
    scale, shift = graph.scale_and_shift(name, channels)
    x = graph.convolution(x, kernel * scale, shift, stride)
    return graph.add("Clip", [x, np.float32(0), np.float32(6)], channels) if activation else x


NETWORKS = {"seven_layer": seven_layer, "bins": bins, "notebook": notebook, "unet": unet, "unet_bins": unet_bins}
UNITS = {name: CODE if name == "notebook" else UNIT_RANGE for name in NETWORKS}


def build(name, arguments, arrays):
    """A network over the arrays of a file, (N, H, W, 1) float32 -> (N, h, w, C) float32.

    Returns
    -------
    model : onnx.ModelProto
    variables : dict of arrays, whose names, shapes and dtypes the file's must have
    """
    graph = Graph(arrays)
    L = graph.add("Transpose", [Tensor("L", 1)], 1, perm=[0, 3, 1, 2])
    x = NETWORKS[name](graph, L, **arguments)
    out = graph.add("Transpose", [x], x.channels, perm=[0, 2, 3, 1])
    shapes = {"L": ["N", *sides(name), 1]}, {out.name: ["N", "h", "w", x.channels]}
    return graph.model(name, *shapes), graph.variables


def sides(name):
    """Height and width that a network takes: free ones as their names."""
    return [NOTEBOOK_SIDE] * 2 if name == "notebook" else ["H", "W"]


def trainable_parameters(variables, frozen_stages=0, **_):
    """How many numbers training changes: not the moving statistics, nor a U-Net's first stages where they are frozen."""
    frozen = tuple(stem_and_stages(frozen_stages))
    moved = [array for name, array in variables.items() if "/moving_" not in name and not name.startswith(frozen)]
    return sum(array.size for array in moved)
