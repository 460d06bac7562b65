"""The original's own graphs against ORIGINAL.md's tables (sections 2 and 3)."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_port.network import assign, build_notebook, to_arrays
from preprocessing.lab import CIE, CODE
from tf_raw import as_coded
from tf_raw.as_coded import CONV_NET, DENSE_NET, ConvNetAsCoded, DenseNetAsCoded
from tf_raw.losses import squared_l2

RANDOM = np.random.default_rng(0)


def lightness(count, side=64, units=CIE):
    return units.lightness_from_code(RANDOM.integers(0, 256, (count, side, side, 1)).astype(np.float32))


@pytest.fixture(scope="module")
def dense_net():
    """The dense graph with at most 8 filters a hidden layer: whole, it takes gigabytes."""
    return DenseNetAsCoded(widest=8)


def test_conv_net_has_the_sizes_of_the_table():
    outputs = ConvNetAsCoded().outputs(lightness(2))
    sizes = {name: tuple(output.shape[1:]) for name, output in outputs.items() if name.startswith(("conv", "output"))}
    assert sizes == {
        "conv1": (60, 60, 16),
        "conv2": (26, 26, 16),
        "conv3": (24, 24, 32),
        "conv4": (10, 10, 32),
        "conv5": (9, 9, 64),
        "conv6": (8, 8, 64),
        "output": (8, 8, 128),
    }
    assert outputs["pool1"].shape[1] == 30
    assert outputs["pool3"].shape[1] == 12


def test_the_softmax_is_read_as_an_image_cell_by_cell():
    network, L = ConvNetAsCoded(), lightness(2)
    ab = network(L).numpy()
    assert ab.shape == (2, 64, 64, 2)
    assert (ab.reshape(2, -1) == network.outputs(L)["output"].numpy().reshape(2, -1)).all()
    np.testing.assert_allclose(ab.reshape(2, 64, 128).sum(axis=-1), 1, rtol=1e-5)
    assert (ab >= 0).all()


def test_its_batch_norm_depends_on_the_batch_at_test_time_unless_told_otherwise():
    network, L = ConvNetAsCoded(), lightness(8)
    assert np.abs(network(L)[:1] - network(L[:1])).max() > 1e-2  # 0.03
    # A batch of another size is summed in another order: over seven layers float32 rounds to 1e-5 of the value at most.
    np.testing.assert_allclose(
        network(L, moving_statistics=True)[:1], network(L[:1], moving_statistics=True), atol=1e-5
    )


def test_predicting_does_not_move_the_statistics():
    network = ConvNetAsCoded()
    before = network.to_arrays()
    network(lightness(4))
    assert all((array == before[name]).all() for name, array in network.to_arrays().items())


def test_dense_net_has_the_sizes_of_the_text_and_277_million_parameters(dense_net, monkeypatch):
    outputs = dense_net.outputs(lightness(1, units=CODE))
    assert [outputs[name].shape[1] for name in ("conv1", "conv2", "conv3", "pool4")] == [64, 32, 16, 32]
    assert outputs["output"].shape == (1, 8192)
    shapes = {}
    monkeypatch.setattr(as_coded, "glorot_uniform", lambda shape, _: np.broadcast_to(np.float32(0), shape))
    monkeypatch.setattr(DenseNetAsCoded, "add", lambda self, name, values: shapes.update({name: values.shape}))
    DenseNetAsCoded()
    assert shapes["dense1/kernel"] == (32 * 32 * 256, 1024)
    assert sum(np.prod(shape) for shape in shapes.values()) == 277_096_960
    assert list(shapes) == list(dense_net.variables)


def test_dense_net_gives_all_of_a_and_then_all_of_b(dense_net):
    dense_net.variables["output/bias"].assign(np.repeat([100.0, 200.0], 64 * 64))
    kernel = dense_net.variables["output/kernel"]
    kernel.assign(tf.zeros_like(kernel))
    ab = dense_net(lightness(1, units=CODE)).numpy()
    assert np.unique(ab[..., 0]) == 100
    assert np.unique(ab[..., 1]) == 200


def test_its_first_three_convolutions_get_no_gradient(dense_net):
    with tf.GradientTape() as tape:
        loss = squared_l2(np.zeros((1, 64, 64, 2), np.float32), dense_net(lightness(1, units=CODE)))
    gradients = tape.gradient(loss, dense_net.trainable_variables)
    without = {
        variable.name.partition("/")[0]
        for variable, gradient in zip(dense_net.trainable_variables, gradients, strict=True)
        if gradient is None
    }
    assert without == {"conv1", "conv2", "conv3"}


def test_layers_have_names_of_their_own_and_read_only_what_stands_before_them():
    for layers in (CONV_NET, DENSE_NET):
        known = ["L"]
        for layer in layers:
            assert layer.reads in known
            assert layer.name not in known
            known.append(layer.name)


def test_the_notebooks_model_has_the_rows_of_the_table():
    model = build_notebook()
    assert model.count_params() == 2_214_960
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == 2_214_736
    rows = [
        (tuple(layer.output.shape[1:]), layer.count_params())
        for layer in model.layers
        if layer.count_params() or isinstance(layer, keras.layers.MaxPooling2D)
    ]
    assert rows == [
        ((124, 124, 16), 416),
        ((62, 62, 16), 0),
        ((59, 59, 16), 4_112),
        ((59, 59, 16), 64),
        ((29, 29, 16), 0),
        ((26, 26, 32), 8_224),
        ((13, 13, 32), 0),
        ((10, 10, 32), 16_416),
        ((10, 10, 32), 128),
        ((5, 5, 32), 0),
        ((3, 3, 64), 18_496),
        ((1, 1, 64), 36_928),
        ((1, 1, 64), 256),
        ((32_768,), 2_129_920),
    ]


def test_the_notebooks_model_gives_all_of_a_and_then_all_of_b():
    model = build_notebook()
    arrays = to_arrays(model)
    arrays["output/kernel"][:] = 0
    arrays["output/bias"][:] = np.repeat([100.0, 200.0], 128 * 128)
    assign(model, arrays)
    ab = model.predict_on_batch(lightness(1, 128, CODE))
    assert ab.shape == (1, 128, 128, 2)
    assert np.unique(ab[..., 0]) == 100
    assert np.unique(ab[..., 1]) == 200
