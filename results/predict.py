"""Weights and L to ab, whichever framework trained the weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preprocessing.files import UserError
from preprocessing.lab import Units
from results.weights import Weights, check_fit, find_weights, load_weights

BATCH = 64


@dataclass(frozen=True)
class Colorizer:
    """A trained network that predicts ab from L."""

    name: str
    resolution: int
    parameters: int  # trainable
    attributes: dict
    units: Units
    mirror_average: bool  # whether a prediction is the mean over the picture and its mirror image
    _forward: object  # L in `units`, float32 array -> ab in `units`, array

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
            batch = self.units.lightness_from_code(L[start : start + BATCH].astype(np.float32))
            own = np.asarray(self._forward(batch))
            if self.mirror_average:
                own = (own + np.asarray(self._forward(batch[:, :, ::-1]))[:, :, ::-1]) / 2
            ab[start : start + BATCH] = self.units.cie_ab(own)
        return ab


def load_colorizer(name_or_path):
    """Load shipped weights by name (`l2_64`) or a weights file by path.

    Raises
    ------
    UserError
        There is no such file, it is damaged, or its variables are not those of the network it names.
    """
    path = find_weights(name_or_path)
    return colorizer_from(load_weights(path), path)


def colorizer_from(weights, path):
    """Build the network that `weights` name; `path` is what messages call them, and its stem is the name."""
    attributes = weights.attributes
    load = {"tf_raw": _load_tf_raw, "keras": _load_keras}.get(attributes.get("framework"))
    if load is None:
        raise UserError(f"{path} was written by an unknown framework, {attributes.get('framework')}")
    return Colorizer(
        path.stem,
        attributes["resolution"],
        attributes=attributes,
        mirror_average=attributes["config"].get("mirror_average", False),
        **load(weights, path),
    )


def colorizer_of(trained, config, framework, name):
    """The network that training has just given (`preprocessing.options.TrainedNetwork`), without a file between."""
    attributes = {
        "framework": framework,
        "network": config.network,
        "arguments": trained.arguments,
        "config": config.to_dict(),
        "resolution": config.resolution,
    }
    return colorizer_from(Weights(trained.arrays, attributes), Path(name))


def _load_tf_raw(weights, path):
    import tensorflow as tf

    from tf_raw.build import build_network

    network = build_network(weights.attributes["network"], weights.attributes["arguments"])
    check_fit(weights.arrays, network.to_arrays(), path)
    network.assign(weights.arrays)
    forward = tf.function(network, reduce_retracing=True)
    parameters = sum(int(tf.size(variable)) for variable in network.trainable_variables)
    return {"parameters": parameters, "units": network.units, "_forward": lambda L: forward(tf.constant(L))}


def _load_keras(weights, path):
    from keras_port.network import UNITS, assign, build_network, to_arrays

    name = weights.attributes["network"]
    model = build_network(name, weights.attributes["arguments"])
    check_fit(weights.arrays, to_arrays(model), path)
    assign(model, weights.arrays)
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    return {"parameters": parameters, "units": UNITS[name], "_forward": model.predict_on_batch}
