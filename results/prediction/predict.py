"""Weights and L to ab in ONNX Runtime, whichever framework trained the weights."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from keras_port.unet_layout import STRIDE
from preprocessing.files import UserError
from preprocessing.lab import Units
from results.prediction.decode import PAPER, adjustment, anneal, mean_colour, softmax, upsample
from results.prediction.vibrance import with_vibrance
from results.prediction.weights import Weights, check_fit, find_weights, load_weights

BATCH = 64
AS_CODED = ("as_coded", "dense")  # the original's own graphs, kept for the errata, which stay in TensorFlow


@dataclass(frozen=True)
class Colorizer:
    """A trained network that predicts ab from L."""

    name: str
    resolution: int
    parameters: int  # trainable
    attributes: dict
    units: Units
    mirror_average: bool  # whether a prediction is the mean over the picture and its mirror image
    _forward: object  # L in `units`, float32 array -> ab in `units`, or logits of the ab bins, array

    @property
    def predicts_bins(self):
        """Whether the network gives a distribution over ab bins (objectives "classification" and "rebalanced")."""
        return self.attributes.get("objective", "l2") != "l2"

    @property
    def vibrance(self):
        """The factor of chroma that was chosen on `val` (results/scoring/choose.py)."""
        return self.attributes.get("vibrance", 1.0)

    @property
    def temperature(self):
        """The temperature of a bins network's annealed mean, chosen on `val`."""
        return self.attributes.get("temperature", PAPER["temperature"])

    def decoded_by(self, **attributes):
        """The same network with other choices of what is read from its output: PAPER's names, each optional."""
        return replace(self, attributes=self.attributes | attributes)

    def remembering(self, batches=2):
        """The same network, for several ways to read it: what it gave of the last `batches` batches is not computed again.

        A batch of at most BATCH photographs and that of their mirror images are two; None remembers all.
        """

        @lru_cache(batches)
        def forward(data, shape):
            return self._forward(np.frombuffer(data, np.float32).reshape(shape))

        return replace(self, _forward=lambda batch: forward(batch.tobytes(), batch.shape))

    def predict_ab(self, L, temperature=None, vibrance=None):
        """Predict colours.

        Parameters
        ----------
        L : ndarray of uint8, shape (N, H, W, 1); sides of `resolution`, or any others divisible by 4 (a U-Net's pictures
            are continued by their mirror image to sides divisible by 32)
        temperature : float, optional, of the annealed mean; for a bins network only
        vibrance : float, optional; a factor of chroma, held inside the RGB gamut

        Returns
        -------
        ab : ndarray of float32, shape (N, H, W, 2), CIE ab units
        """
        ab = np.empty((*L.shape[:3], 2), np.float32)
        for start in range(0, len(L), BATCH):
            rows = slice(start, start + BATCH)
            ab[rows] = self.decode(self.look(L[rows]), temperature)
        return ab if vibrance is None else with_vibrance(L, ab, vibrance)

    def look(self, L):
        """What the network says of at most BATCH photographs: their ab, or (an iterator over) their distributions."""
        return self.predict_distributions(L) if self.predicts_bins else self.units.cie_ab(self._output(L))

    def decode(self, looked, temperature=None):
        """What `look` gave -> (N, H, W, 2) float32 CIE ab."""
        if not self.predicts_bins:
            return looked
        return np.stack([mean_colour(anneal(bins, temperature or self.temperature)) for bins in looked])

    def predict_distributions(self, L):
        """Yield each photograph's distribution over ab bins at its full size, (H, W, Q) float32."""
        for start in range(0, len(L), BATCH):
            for distribution in self._output(L[start : start + BATCH]):
                yield upsample(distribution, *L.shape[1:3])

    def _output(self, L):
        """ab in `units`, or distributions over the bins at the network's own size."""
        batch = self.units.lightness_from_code(L.astype(np.float32))
        sides = [batch, batch[:, :, ::-1]] if self.mirror_average else [batch]
        outputs = [self._at_any_size(side) for side in sides]
        if self.predicts_bins:
            outputs = [softmax(logits - self.adjustment) for logits in outputs]
        return (outputs[0] + outputs[1][:, :, ::-1]) / 2 if self.mirror_average else outputs[0]

    def _at_any_size(self, batch):
        """The network's output for sides that it does not take: continued beyond the last row and column, and cut."""
        height, width = batch.shape[1:3]
        multiple = multiple_of(self.attributes["network"])
        more = [(0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0)]
        padded = np.pad(batch, more, mode="symmetric") if height % multiple or width % multiple else batch
        output = np.asarray(self._forward(padded))
        step = padded.shape[1] // output.shape[1]
        return output[:, : height // step, : width // step]

    @property
    def adjustment(self):
        """What is subtracted from the logits of bins, (Q,) or 0: see results.prediction.decode.adjustment."""
        share = self.attributes.get("rebalancing_undone", 0)
        return adjustment(self.attributes["ab_bin_counts"], share) if share else 0


def multiple_of(network):
    """What the sides of a picture must be divisible by, for a network to take it."""
    return STRIDE if network.startswith("unet") else 4


def load_colorizer(name_or_path):
    """Load shipped weights by name (`l2_64`) or a weights file by path.

    Raises
    ------
    UserError
        There is no such file, it is damaged, or its variables are not those of the network it names.
    """
    path = find_weights(name_or_path)
    return colorizer_from(load_weights(path), path)


def load_colorizers(names_or_paths):
    """Load several; one whose name an earlier one has is named by its path."""
    colorizers = {}
    for each in names_or_paths:
        colorizer = load_colorizer(each)
        if colorizer.name in colorizers:
            colorizer = replace(colorizer, name=str(each))
        colorizers[colorizer.name] = colorizer
    return list(colorizers.values())


def colorizer_from(weights, path):
    """Build the network that `weights` name; `path` is what messages call them, and its stem is the name."""
    attributes = weights.attributes
    if attributes.get("framework") not in ("tf_raw", "keras"):
        raise UserError(f"{path} was written by an unknown framework, {attributes.get('framework')}")
    load = _in_tensorflow if attributes["network"] in AS_CODED else _in_onnx_runtime
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
        "objective": config.objective,
        "arguments": trained.arguments,
        "config": config.to_dict(),
        "resolution": config.resolution,
    }
    return colorizer_from(Weights(trained.arrays, attributes), Path(name))


def _in_onnx_runtime(weights, path):
    from results.prediction import networks
    from results.prediction.onnx_graph import runner

    name, arguments = weights.attributes["network"], weights.attributes["arguments"]
    if name not in networks.NETWORKS:
        raise UserError(f"{path} holds {name}, a network that this version does not know: get a newer one")
    try:
        model, variables = networks.build(name, arguments, weights.arrays)
    except TypeError as error:
        raise UserError(f"{path} holds a {name} that this version does not know ({error}): get a newer one") from None
    check_fit(weights.arrays, variables, path)
    parameters = networks.trainable_parameters(variables, **arguments)
    return {"parameters": parameters, "units": networks.UNITS[name], "_forward": runner(model)}


def _in_tensorflow(weights, path):
    """The graphs as the original coded them, of which one normalises by the batch that it is shown."""
    import tensorflow as tf

    from tf_raw.build import build_network

    network = build_network(weights.attributes["network"], weights.attributes["arguments"])
    check_fit(weights.arrays, network.to_arrays(), path)
    network.assign(weights.arrays)
    forward = tf.function(network, reduce_retracing=True, autograph=False)
    parameters = sum(int(tf.size(variable)) for variable in network.trainable_variables)
    return {"parameters": parameters, "units": network.units, "_forward": lambda L: forward(tf.constant(L))}
