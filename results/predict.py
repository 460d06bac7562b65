"""Weights and L to ab, whichever framework trained the weights."""

from dataclasses import dataclass

import numpy as np

from preprocessing.files import UserError
from preprocessing.lab import AB_SCALE, L_HALF_RANGE
from results.weights import check_fit, find_weights, load_weights

BATCH = 64


@dataclass(frozen=True)
class Colorizer:
    """A trained network that predicts ab from L."""

    name: str
    resolution: int
    parameters: int  # trainable
    attributes: dict
    _forward: object  # network L, float32 array -> network ab, array

    def predict_ab(self, L):
        """Predict colours.

        Parameters
        ----------
        L : ndarray of uint8, shape (N, S, S, 1); S is `resolution`, or any other side divisible by 4

        Returns
        -------
        ab : ndarray of float32, shape (N, S, S, 2), CIE ab units
        """
        ab = np.empty((*L.shape[:3], 2), np.float32)
        for start in range(0, len(L), BATCH):
            batch = L[start : start + BATCH].astype(np.float32) / L_HALF_RANGE - 1
            ab[start : start + BATCH] = np.asarray(self._forward(batch)) * AB_SCALE
        return ab


def load_colorizer(name_or_path):
    """Load shipped weights by name (`l2_64`) or a weights file by path.

    Raises
    ------
    UserError
        There is no such file, it is damaged, or its variables are not those of the network it names.
    """
    path = find_weights(name_or_path)
    weights = load_weights(path)
    load = {"tf_raw": _load_tf_raw, "keras": _load_keras}.get(weights.attributes.get("framework"))
    if load is None:
        raise UserError(f"{path} was written by an unknown framework, {weights.attributes.get('framework')}")
    forward, parameters = load(weights, path)
    return Colorizer(path.stem, weights.attributes["resolution"], parameters, weights.attributes, forward)


def _load_tf_raw(weights, path):
    import tensorflow as tf

    from tf_raw.network import SevenLayerArguments, SevenLayerNetwork

    network = SevenLayerNetwork(SevenLayerArguments(**weights.attributes["arguments"]))
    check_fit(weights.arrays, network.to_arrays(), path)
    network.assign(weights.arrays)
    forward = tf.function(network, reduce_retracing=True)
    parameters = sum(int(tf.size(variable)) for variable in network.trainable_variables)
    return lambda L: forward(tf.constant(L)), parameters


def _load_keras(weights, path):
    from keras_port.network import assign, build_seven_layer, to_arrays

    model = build_seven_layer(**weights.attributes["arguments"])
    check_fit(weights.arrays, to_arrays(model), path)
    assign(model, weights.arrays)
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    return model.predict_on_batch, parameters
