"""The squared loss of the report."""

import tensorflow as tf


def squared_l2(ab_true, ab_pred):
    """Mean squared error over pixels and both channels, in network units (x 128^2 for CIE ab).

    The report (section 3) sums the squares; the mean differs by a constant, to which Adam is indifferent.
    """
    return tf.reduce_mean(tf.square(ab_pred - ab_true))
