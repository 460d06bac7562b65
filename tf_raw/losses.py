"""The losses: the report's squared error, and the cross entropy over ab bins of Zhang et al. 2016 (ours)."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from preprocessing.ab_bins import weighted_targets
from preprocessing.shards import read_manifest


@dataclass(frozen=True)
class Loss:
    """A function of 8-bit ab, (N, S, S, 2), and a network's output; `name` and `scale` are for what is reported of it."""

    name: str  # "mse", in CIE ab units squared, or "cross_entropy", in nats
    of: Callable
    scale: float = 1.0  # by which the loss is multiplied where it is reported


def squared_l2(ab_true, ab_pred):
    """Mean squared error over pixels and both channels, in a network's units.

    The report (section 3) sums the squares; the mean differs by a constant, to which Adam is indifferent.
    """
    return tf.reduce_mean(tf.square(ab_pred - ab_true))


def squared_loss(units):
    """The squared error of ab in a network's `units`, reported in CIE ab units."""

    def of(ab_code, ab_pred):
        return squared_l2(units.ab_from_code(tf.cast(ab_code, tf.float32)), ab_pred)

    return Loss("mse", of, units.ab_scale**2)


def cross_entropy(targets, ab_code, logits):
    """Cross entropy of the bins' distribution with the soft-encoded truth, mean over pixels (equation 2).

    Parameters
    ----------
    targets : tensor, shape (65536, Q), what stands for each pair of 8-bit codes, weighted
    ab_code : tensor of uint8, shape (N, S, S, 2)
    logits : tensor, shape (N, S / k, S / k, Q); the truth is taken at every k-th pixel, as the paper's code does
    """
    step = ab_code.shape[1] // logits.shape[1]
    code = tf.cast(ab_code[:, step // 2 :: step, step // 2 :: step], tf.int32)
    truth = tf.gather(targets, code[..., 0] * 256 + code[..., 1])
    return -tf.reduce_mean(tf.reduce_sum(truth * tf.nn.log_softmax(logits), axis=-1))


def bins_loss(bin_counts, rebalanced):
    """The cross entropy over ab bins; `rebalanced` weighs each pixel by the rarity of its colour (section 2.3)."""
    targets = tf.constant(weighted_targets(bin_counts, rebalanced))
    return Loss("cross_entropy", lambda ab_code, logits: cross_entropy(targets, ab_code, logits))


def build_loss(config, units, source, root="shards"):
    """The loss of a configuration's objective; the bins' prior is that of the training shards."""
    if config.objective == "l2":
        return squared_loss(units)
    train = read_manifest(source, root)["resolutions"][str(config.resolution)]["train"]
    return bins_loss(train["ab_bin_counts"], config.objective == "rebalanced")
