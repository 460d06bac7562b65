import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_raw.adam import Adam


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_keras_adam_on_the_same_gradients(decay):
    random = np.random.default_rng(0)
    shapes = [(3, 3, 4, 5), (5,), (2, 7)]
    ours = [tf.Variable(random.standard_normal(shape).astype(np.float32)) for shape in shapes]
    theirs = [keras.Variable(variable.numpy()) for variable in ours]
    adam = Adam(ours, decay)
    keras_adam = keras.optimizers.AdamW(0.001, decay) if decay else keras.optimizers.Adam(0.001)
    keras_adam.exclude_from_weight_decay(var_list=[theirs[1]]) if decay else None
    for step in range(20):
        gradients = [
            tf.constant(random.standard_normal(shape).astype(np.float32) * 10.0 ** (step % 5 - 3)) for shape in shapes
        ]
        rate = 0.01 / (step + 1)
        adam.apply(gradients, rate)
        keras_adam.learning_rate.assign(rate)
        keras_adam.apply(gradients, theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def test_the_first_step_is_the_learning_rate_whatever_the_gradients_size():
    for size in (1e-3, 1.0, 1e3):
        variable = tf.Variable([1.0])
        Adam([variable]).apply([tf.constant([size])], 0.1)
        np.testing.assert_allclose(variable.numpy(), [0.9], rtol=1e-3)
