"""The seven-layer network of both frameworks against ORIGINAL.md's table, and against each other."""

import os
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_port.network import assign, build_seven_layer, to_arrays
from tf_raw.config import PRESETS, SevenLayerArguments, TrainingConfig
from tf_raw.network import LAYERS, SevenLayerNetwork

REPORT = SevenLayerArguments(kernel=3, deconv_kernel=3, dropout=0.4)


@pytest.mark.parametrize(("arguments", "count"), [(SevenLayerArguments(), 2_227_138), (REPORT, 1_995_970)])
def test_parameter_counts(arguments, count):
    network = SevenLayerNetwork(arguments)
    assert sum(int(tf.size(variable)) for variable in network.trainable_variables) == count
    model = build_seven_layer(**asdict(arguments))
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == count


def test_the_report_preset_is_the_reports():
    config = TrainingConfig(32, **PRESETS["report"])
    assert (config.batch_size, config.network_arguments()) == (10, asdict(REPORT))


def test_keras_shapes_are_those_of_the_table_at_64():
    model = build_seven_layer()
    outputs = [layer.output for layer in model.layers if layer.name in [name for name, *_ in LAYERS]]
    shapes = [output.shape[1:] for output in keras.Model(model.input, outputs)(np.zeros((1, 64, 64, 1), np.float32))]
    assert [tuple(shape) for shape in shapes] == [
        (64, 64, 64),
        (32, 32, 128),
        (16, 16, 128),
        (16, 16, 256),
        (16, 16, 256),
        (16, 16, 256),
        (32, 32, 128),
    ]


@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("arguments", [SevenLayerArguments(), REPORT, SevenLayerArguments(dilation=2)])
def test_both_frameworks_give_the_same_ab_from_the_same_weights(side, arguments):
    network = SevenLayerNetwork(arguments, seed=3)
    arrays = network.to_arrays()
    random = np.random.default_rng(0)
    for name, array in arrays.items():  # moving statistics and betas that matter
        if "moving" in name or "beta" in name:
            arrays[name] = array + random.random(array.shape, np.float32)
    network.assign(arrays)
    model = build_seven_layer(**asdict(arguments))
    assert list(to_arrays(model)) == list(arrays)
    assign(model, arrays)
    L = random.uniform(-1, 1, (2, side, side, 1)).astype(np.float32)
    ab = network(L).numpy()
    assert ab.shape == (2, side, side, 2)
    assert np.abs(ab).max() <= 1
    np.testing.assert_allclose(model.predict_on_batch(L), ab, atol=1e-5)


@pytest.mark.parametrize("network", [SevenLayerNetwork(), build_seven_layer(), build_seven_layer(filters=16)])
def test_a_new_network_predicts_near_gray(network):
    L = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 1)).astype(np.float32)
    assert np.abs(network(L, training=True)).mean() < 0.2


def test_both_frameworks_begin_with_kernels_as_large():
    for (name, ours), theirs in zip(
        SevenLayerNetwork().to_arrays().items(), to_arrays(build_seven_layer()).values(), strict=True
    ):
        if name.endswith("kernel"):
            assert theirs.std() == pytest.approx(ours.std(), rel=0.1), name


@pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ, reason="oneDNN, so limited, lacks kernels that TensorFlow takes for given"
)
def test_bfloat16_activations_change_little():
    network = SevenLayerNetwork()
    L = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 1)).astype(np.float32)
    full, half = network(L), network(L, compute_dtype=tf.bfloat16)
    assert half.dtype == tf.float32
    assert np.abs(full - half).max() < 0.05
