"""ONNX graphs written layer by layer over a weights file's own arrays, and ONNX Runtime to run them.

Inside a graph pictures are (N, C, H, W), as ONNX has them. 'Same' padding is TensorFlow's where a stride divides the
side: what is odd of it comes after the last row and column.
"""

import os
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8  # of 2022: runtimes since then read it
BN_EPSILON = 1e-3  # of every network here
BATCH_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
SAME, VALID = "same", "valid"


@dataclass(frozen=True)
class Tensor:
    """What a node gives: its name in the graph, and its channels."""

    name: str
    channels: int


class Graph:
    """A graph that grows by the method, in the order in which x meets the layers.

    `variables` are those that its layers asked for, by name, as arrays of zeros: what a file must hold.
    """

    def __init__(self, arrays):
        self.variables = {}
        self._arrays, self._nodes, self._constants = arrays, [], []

    def variable(self, name, *shape):
        """An array of the file, or zeros where it has no such one: `variables` is then what to hold the file against."""
        self.variables[name] = zeros = np.broadcast_to(np.float32(0), shape)
        array = self._arrays.get(name, zeros)
        return array if array.shape == shape else zeros

    def add(self, op, inputs, channels, name=None, **attributes):
        """Add a node; `inputs` are tensors, or arrays, which become constants; `name` is what it gives."""
        name = name or f"{op}_{len(self._nodes)}"
        names = [x.name if isinstance(x, Tensor) else self._constant(x) for x in inputs]
        self._nodes.append(helper.make_node(op, names, [name], name, **attributes))
        return Tensor(name, channels)

    def halves(self, x):
        """The first half of the pictures and the second."""
        names = [f"{x.name}_{which}" for which in ("first", "second")]
        self._nodes.append(helper.make_node("Split", [x.name], names, axis=0))
        return [Tensor(name, x.channels) for name in names]

    def mirrored(self, x):
        """Each picture left to right."""
        start, end, axis, step = (np.array([each]) for each in (-1, np.iinfo(np.int64).min, 3, -1))
        return self.add("Slice", [x, start, end, axis, step], x.channels)

    def _constant(self, array):
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def convolution(self, x, kernel, bias=None, stride=1, dilation=1, padding=SAME):
        """Convolve with a kernel (k, k, C / groups, F)."""
        side, filters = kernel.shape[0], kernel.shape[3]
        before, after = _same(dilation * (side - 1) + 1 - stride) if padding == SAME else (0, 0)
        return self.add(
            "Conv",
            [x, kernel.transpose(3, 2, 0, 1), *([] if bias is None else [bias])],
            filters,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            pads=[before, before, after, after],
            group=x.channels // kernel.shape[2],
        )

    def deconvolution(self, x, kernel, bias=None, stride=1):
        """The gradient of a 'same' convolution with respect to its input: a kernel (k, k, F, C), sides times `stride`."""
        before, after = _same(kernel.shape[0] - stride)
        return self.add(
            "ConvTranspose",
            [x, kernel.transpose(3, 2, 0, 1), *([] if bias is None else [bias])],
            kernel.shape[2],
            strides=[stride] * 2,
            pads=[before, before, after, after],
            output_padding=[max(stride - kernel.shape[0], 0)] * 2,
        )

    def scale_and_shift(self, name, channels):
        """Batch normalisation by its moving statistics, as a factor and a summand, (C,) each."""
        gamma, beta, mean, variance = (self.variable(f"{name}/{part}", channels) for part in BATCH_NORM_PARTS)
        scale = gamma / np.sqrt(variance + np.float32(BN_EPSILON))
        return scale, beta - mean * scale

    def relu(self, x):
        return self.add("Relu", [x], x.channels)

    def enlarged(self, x, times):
        """Bilinear, as TensorFlow and OpenCV enlarge: by pixels' centres."""
        scales = np.array([1, 1, times, times], np.float32)
        return self.add("Resize", [x, np.zeros(0, np.float32), scales], x.channels, mode="linear")

    def model(self, name, inputs, outputs, **description):
        """The graph as an ONNX model.

        Parameters
        ----------
        inputs, outputs : {tensor's name: shape}; a text in a shape is a side that is free
        description : of the model's own fields, and `properties`, a dictionary of texts
        """
        properties = description.pop("properties", {})
        values = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, *values, self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="colorize",
            **description,
        )
        helper.set_model_props(model, properties)
        return model


def _same(total):
    """Of 'same' padding: what comes before, and after."""
    total = max(total, 0)
    return total // 2, total - total // 2


def runner(model):
    """A function of one float32 array, on all cores; several threads may call it at once."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import: it would report its use to Microsoft
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or it takes the cores from who has work
    options.enable_cpu_mem_arena = False  # which would keep what the largest picture took
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (input_name,) = (each.name for each in session.get_inputs())
    return lambda x: session.run(None, {input_name: x})[0]
