"""Layers as functions of variables and x: convolution, deconvolution, batch normalisation, dropout.

Activations may be float32 or bfloat16; variables are float32 and are cast where they meet x. Batch normalisation keeps
its statistics, and does its arithmetic, in float32.
"""

import numpy as np
import tensorflow as tf

from preprocessing.tensorflow_import import has_dilated_gradient

BN_MOMENTUM = 0.99  # as the original's code (ORIGINAL.md, section 2)
BN_EPSILON = 1e-3  # as the original's code


def he_normal(shape, fan_in, random):
    """Normal values with variance 2 / fan_in, cut at two deviations (He et al. 2015): float32 of `shape`."""
    values = random.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = random.standard_normal(outside.sum())
    deviation_of_cut = 0.87962566103423978  # of a standard normal cut at +-2
    return (values * np.sqrt(2 / fan_in) / deviation_of_cut).astype(np.float32)


def glorot_uniform(shape, random):
    """Uniform values with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010): float32 of `shape`."""
    field = np.prod(shape[:-2])  # of a kernel (k, k, C, F); 1 for a matrix (C, F)
    limit = np.sqrt(6 / (field * (shape[-2] + shape[-1])))
    return random.uniform(-limit, limit, shape).astype(np.float32)


def conv2d(x, kernel, stride=1, dilation=1, padding="SAME"):
    """Convolve.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    kernel : variable, shape (k, k, C, F)

    Returns
    -------
    y : tensor, dtype of x, shape (N, H / stride, W / stride, F) where the padding is "SAME"
    """
    kernel = tf.cast(kernel, x.dtype)
    if dilation == 1 or has_dilated_gradient():
        return tf.nn.conv2d(x, kernel, strides=stride, padding=padding, dilations=dilation)
    return tf.compat.v1.nn.with_space_to_batch(  # a picture for each offset within the rate, side by side in the batch
        x, [dilation] * 2, padding, lambda x, _, padding: tf.nn.conv2d(x, kernel, stride, padding), kernel.shape
    )


def conv2d_transpose(x, kernel, stride):
    """Deconvolve with 'same' padding: the gradient of `conv2d` with respect to its input.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    kernel : variable, shape (k, k, F, C)

    Returns
    -------
    y : tensor, shape (N, H * stride, W * stride, F), dtype of x
    """
    size = tf.shape(x)
    output_shape = [size[0], size[1] * stride, size[2] * stride, kernel.shape[2]]
    y = tf.nn.conv2d_transpose(x, tf.cast(kernel, x.dtype), output_shape, strides=stride, padding="SAME")
    return tf.ensure_shape(y, [x.shape[0], *(side and side * stride for side in x.shape[1:3]), kernel.shape[2]])


def batch_norm(x, gamma, beta, moving_mean, moving_variance, training):
    """Normalise each channel (Ioffe & Szegedy 2015), by the batch in training and by moving statistics at test time.

    In training the moving statistics take a step towards the batch's mean and its unbiased variance.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    gamma, beta, moving_mean, moving_variance : variables, shape (C,), float32
    training : bool

    Returns
    -------
    y : tensor like x
    """
    if not training:
        y, *_ = tf.compat.v1.nn.fused_batch_norm(
            x, gamma, beta, moving_mean, moving_variance, epsilon=BN_EPSILON, is_training=False
        )
        return y
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=BN_EPSILON, is_training=True)
    moving_mean.assign_sub((1 - BN_MOMENTUM) * (moving_mean - mean))
    moving_variance.assign_sub((1 - BN_MOMENTUM) * (moving_variance - variance))
    return y


def batch_norm_by_batch(x, gamma, beta):
    """Normalise each channel by the batch, whatever it holds: what the original does at test time too (erratum 7)."""
    y, *_ = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=BN_EPSILON, is_training=True)
    return y


def max_pool(x):
    """The largest of each 2 x 2, a last odd row or column left out: (N, H, W, C) -> (N, H // 2, W // 2, C)."""
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def dropout(x, rate, seed):
    """Zero a share `rate` of x, to the nearest 1/256, and scale the rest so that the mean stays (Srivastava et al. 2014).

    `seed` is two integers: one seed always drops the same values, so that a resumed run drops what an unbroken one does.
    """
    count, dropped = tf.size(x), min(round(rate * 256), 255)
    words = tf.random.stateless_uniform([(count + 3) // 4], seed, None, None, tf.uint32)
    # 8 random bits a value: with 16 a step of 04 takes 5% longer, and tf.nn.experimental.stateless_dropout draws 32
    bits = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], tf.shape(x))
    kept = tf.cast(bits >= tf.constant(dropped, tf.uint8), x.dtype)
    return x * kept * tf.cast(256 / (256 - dropped), x.dtype)
