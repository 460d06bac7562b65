"""The losses in Keras ops, of 8-bit ab, (N, S, S, 2), and a network's output; `tf_raw.losses` says where they are from."""

import keras

from preprocessing.ab_bins import weighted_targets
from preprocessing.lab import AB_ZERO
from preprocessing.shards import read_manifest


def squared_loss(units):
    """Mean squared error in CIE ab units squared, one value an image, of ab in a network's `units`."""

    def mse(ab_code, ab_pred):
        ab_true = keras.ops.cast(ab_code, "float32") - AB_ZERO
        return keras.ops.mean(keras.ops.square(units.cie_ab(ab_pred) - ab_true), axis=(1, 2, 3))

    return mse


def bins_loss(bin_counts, rebalanced):
    """Cross entropy with the soft-encoded truth at every k-th pixel, one value an image, of logits at S / k."""
    targets = keras.ops.convert_to_tensor(weighted_targets(bin_counts, rebalanced))

    def cross_entropy(ab_code, logits):
        step = ab_code.shape[1] // logits.shape[1]
        code = keras.ops.cast(ab_code[:, step // 2 :: step, step // 2 :: step], "int32")
        truth = keras.ops.take(targets, code[..., 0] * 256 + code[..., 1], axis=0)
        return -keras.ops.mean(keras.ops.sum(truth * keras.ops.log_softmax(logits), axis=-1), axis=(1, 2))

    return cross_entropy


def build_loss(config, units, source, root="shards"):
    """The loss of a configuration's objective; the bins' prior is that of the training shards."""
    if config.objective == "l2":
        return squared_loss(units)
    train = read_manifest(source, root)["resolutions"][str(config.resolution)]["train"]
    return bins_loss(train["ab_bin_counts"], config.objective == "rebalanced")
