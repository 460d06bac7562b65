"""The ONNX graphs against TensorFlow, which trained the weights: borders, odd sizes, and every option of a network."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from keras_port.network import assign, build_network, to_arrays
from preprocessing.embedded import embedded_files
from preprocessing.lab import bgr_to_lab
from results.prediction import networks
from results.prediction.onnx_graph import runner
from results.prediction.predict import load_colorizer
from results.prediction.weights import find_weights, load_weights, shipped_names

CLOSE = 0.05  # CIE ab units


@pytest.fixture(scope="module")
def photographs():
    """L of two embedded photographs, at most 300 px, each of its own size."""
    pictures = [cv2.imread(str(path)) for _, path in embedded_files()[:2]]
    scales = [300 / max(picture.shape) for picture in pictures]
    smaller = [
        cv2.resize(p, None, fx=f, fy=f, interpolation=cv2.INTER_AREA) for p, f in zip(pictures, scales, strict=True)
    ]
    return [bgr_to_lab(picture)[0] for picture in smaller]


def in_keras(attributes, arrays):
    """The same network in Keras, on which TensorFlow's own of tf_raw is tested (test_network.py, test_bins.py)."""
    model = build_network(attributes["network"], attributes["arguments"])
    assign(model, arrays)
    return lambda L: np.asarray(model(L, training=False))


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_file_gives_what_tensorflow_gives(name, photographs):
    ours = load_colorizer(name)
    theirs = replace(ours, _forward=in_keras(ours.attributes, load_weights(find_weights(name)).arrays))
    side = ours.resolution
    own = np.stack([cv2.resize(L, (side, side), interpolation=cv2.INTER_AREA) for L in photographs])[..., None]
    odd = own[:, : side - 5, : side - 11]
    for L in (own, odd):
        assert np.abs(ours.predict_ab(L) - theirs.predict_ab(L)).max() < CLOSE


OPTIONS = [
    ("seven_layer", {"filters": 8, "stride": 2, "kernel": 5, "deconv_kernel": 3, "dilation": [1, 2, 3]}),
    ("seven_layer", {"filters": 8, "kernel": 4, "deconv_kernel": 1}),
    ("bins", {"filters": 8, "bins_at": 2, "deconv_kernel": 5}),
    ("notebook", {}),
    ("unet_bins", {"frozen_stages": 0}),
]


@pytest.mark.parametrize(("name", "arguments"), OPTIONS)
def test_every_option_of_a_network_gives_what_keras_gives(name, arguments):
    random = np.random.default_rng(1)
    model = build_network(name, arguments)
    arrays = to_arrays(model)
    for each, array in arrays.items():  # statistics, biases and signs of gamma that matter
        if array.ndim == 1:
            arrays[each] = array + random.uniform(0.0 if each.endswith("variance") else -1.5, 1, array.shape).astype(
                "f"
            )
    assign(model, arrays)
    graph, variables = networks.build(name, arguments, arrays)
    assert {each: array.shape for each, array in variables.items()} == {each: a.shape for each, a in arrays.items()}
    count = sum(int(np.prod(each.shape)) for each in model.trainable_variables)
    assert networks.trainable_parameters(variables, **arguments) == count
    units = networks.UNITS[name]
    height, width = (128, 128) if name == "notebook" else (32, 96)
    L = units.lightness_from_code(random.uniform(0, 255, (2, height, width, 1)).astype(np.float32))
    expected = np.asarray(model(L, training=False))
    np.testing.assert_allclose(runner(graph)(L), expected, atol=1e-4 * max(1, np.abs(expected).max()))
