"""The hand-written layers against Keras' own, values and gradients, and against finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_port import network
from tf_raw import layers
from tf_raw.losses import squared_l2

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def compare(ours, keras_layer, x, variables):
    """Equal outputs, and equal gradients with respect to x and to every variable."""
    weight = tf.constant(normal(*keras_layer(x).shape))
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ours(x)
        loss = tf.reduce_sum(y * weight)
    gradients = tape.gradient(loss, [x, *variables])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y_keras = (
            keras_layer(x, training=True)
            if isinstance(keras_layer, keras.layers.BatchNormalization)
            else keras_layer(x)
        )
        loss = tf.reduce_sum(y_keras * weight)
    expected = tape.gradient(loss, [x, *[variable.value for variable in keras_layer.trainable_variables]])
    np.testing.assert_allclose(y, y_keras, rtol=1e-4, atol=1e-4)
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_convolution_is_keras_convolution(side, stride):
    kernel = tf.Variable(normal(side, side, 4, 6))
    layer = keras.layers.Conv2D(6, side, strides=stride, padding="same", use_bias=False)
    layer.build((None, 8, 8, 4))
    layer.kernel.assign(kernel)
    compare(lambda x: layers.conv2d(x, kernel, stride), layer, normal(2, 8, 8, 4), [kernel])


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("side", "dilation", "size"), [(3, 2, (8, 8)), (3, 4, (16, 16)), (5, 2, (8, 8)), (3, 4, (7, 9))]
)
def test_dilated_convolutions_of_both_packages_are_keras_with_zeros_between_the_taps(
    side, dilation, size, native, monkeypatch
):
    """The numbers and gradients are those of an ordinary convolution, which every CPU can train."""
    if not native:  # as where TensorFlow's kernels have no gradient
        monkeypatch.setattr(layers, "has_dilated_gradient", lambda: False)
        monkeypatch.setattr(network, "has_dilated_gradient", lambda: False)
    kernel = tf.Variable(normal(side, side, 4, 6))
    dilated = network.DilatedConv2D(6, side, dilation_rate=dilation, padding="same", use_bias=False)
    dilated.build((None, None, None, 4))
    dilated.kernel.assign(kernel)
    ordinary = keras.layers.Conv2D(6, (side - 1) * dilation + 1, padding="same", use_bias=False)
    ordinary.build((None, None, None, 4))

    spread = np.zeros(ordinary.kernel.shape, np.float32)
    spread[::dilation, ::dilation] = kernel
    ordinary.kernel.assign(spread)
    x = normal(2, *size, 4)
    weight = normal(2, *size, 6)

    def outputs(convolve, variable):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4))])  # any batch, any size
        def compute(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = convolve(x)
                loss = tf.reduce_sum(y * weight)
            return y, *tape.gradient(loss, [x, variable])

        return compute(x)

    y, by_x, by_kernel = outputs(ordinary, ordinary.kernel.value)
    expected = y, by_x, by_kernel[::dilation, ::dilation]
    for convolve, variable in (
        (lambda x: layers.conv2d(x, kernel, 1, dilation), kernel),
        (dilated, dilated.kernel.value),
    ):
        for one, other in zip(outputs(convolve, variable), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [3, 4, 5])
def test_deconvolution_is_keras_deconvolution(side):
    kernel = tf.Variable(normal(side, side, 6, 4))
    layer = keras.layers.Conv2DTranspose(6, side, strides=2, padding="same", use_bias=False)
    layer.build((None, 8, 8, 4))
    layer.kernel.assign(kernel)
    compare(lambda x: layers.conv2d_transpose(x, kernel, 2), layer, normal(2, 8, 8, 4), [kernel])


def test_deconvolution_is_the_gradient_of_convolution():
    kernel = tf.Variable(normal(4, 4, 6, 5))
    x, y = tf.constant(normal(2, 8, 8, 6)), tf.constant(normal(2, 4, 4, 5))
    forward = tf.reduce_sum(layers.conv2d(x, kernel, 2) * y)
    backward = tf.reduce_sum(x * layers.conv2d_transpose(y, kernel, 2))
    assert float(forward) == pytest.approx(float(backward), rel=1e-4)


def batch_norm_variables(channels):
    return (
        tf.Variable(normal(channels) + 1),
        tf.Variable(normal(channels)),
        tf.Variable(normal(channels)),
        tf.Variable(np.abs(normal(channels)) + 0.5),
    )


def test_batch_norm_is_keras_batch_norm_in_training_and_at_test_time():
    gamma, beta, mean, variance = batch_norm_variables(5)
    layer = keras.layers.BatchNormalization(momentum=layers.BN_MOMENTUM, epsilon=layers.BN_EPSILON)
    layer.build((None, 6, 6, 5))
    for ours, theirs in zip((gamma, beta, mean, variance), layer.weights, strict=True):
        theirs.assign(ours)
    x = normal(8, 6, 6, 5) * 3 + 1
    np.testing.assert_allclose(
        layers.batch_norm(x, gamma, beta, mean, variance, training=False),
        layer(x, training=False),
        rtol=1e-4,
        atol=1e-4,
    )
    compare(lambda x: layers.batch_norm(x, gamma, beta, mean, variance, training=True), layer, x, [gamma, beta])


def test_moving_statistics_go_to_those_of_the_data():
    gamma, beta, mean, variance = (
        tf.Variable(tf.zeros(3)),
        tf.Variable(tf.zeros(3)),
        tf.Variable(tf.zeros(3)),
        tf.Variable(tf.ones(3)),
    )
    x = normal(64, 8, 8, 3) * [1, 2, 3] + [5, 0, -5]
    for _ in range(1000):
        layers.batch_norm(tf.constant(x, tf.float32), gamma, beta, mean, variance, training=True)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)), atol=0.01)
    np.testing.assert_allclose(variance, x.var(axis=(0, 1, 2), ddof=1), rtol=0.01)


def test_dropout_keeps_the_mean_and_is_drawn_by_its_seed():
    x = tf.ones((50, 20, 20, 2))
    dropped = layers.dropout(x, 0.4, [1, 2]).numpy()
    assert set(np.unique(dropped)) == {0.0, np.float32(256 / 154)}  # 102 of 256
    assert (dropped == 0).mean() == pytest.approx(0.4, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert 0 < (layers.dropout(x, 0.999, [1, 2]).numpy() > 0).mean() < 0.01
    assert (dropped == layers.dropout(x, 0.4, [1, 2]).numpy()).all()
    assert (dropped != layers.dropout(x, 0.4, [1, 3]).numpy()).any()


def test_he_normal_has_the_variance_it_says():
    values = layers.he_normal((3, 3, 64, 64), 9 * 64, np.random.default_rng(0))
    assert values.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    assert np.abs(values).max() <= 2 / 0.8796 * np.sqrt(2 / (9 * 64)) + 1e-6


def test_squared_l2_and_its_gradient():
    truth, prediction = normal(2, 4, 4, 2), tf.constant(normal(2, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        loss = squared_l2(truth, prediction)
    assert float(loss) == pytest.approx(float(np.square(prediction - truth).mean()), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, prediction), 2 * (prediction - truth) / truth.size, rtol=1e-5)
