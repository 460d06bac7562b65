"""The original's faults in its networks (ORIGINAL.md, section 5), each measured."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from keras_port import config as keras_config
from keras_port.network import NOTEBOOK_SIDE, build_notebook, to_arrays
from keras_port.resume import load_state
from keras_port.training import train as train_keras
from preprocessing.derived import first_photographs, write_source
from preprocessing.lab import AB_ZERO, cie_ab
from preprocessing.options import run_settings
from preprocessing.shards import read_manifest, read_split
from results.prediction.predict import colorizer_of, load_colorizer
from results.prediction.weights import find_weights, load_weights
from results.scoring.baselines import constant, gray
from results.scoring.evaluate import mean_squared_error
from tf_raw.as_coded import ConvNetAsCoded, DenseNetAsCoded
from tf_raw.build import build_network
from tf_raw.config import NETWORKS, TrainingConfig
from tf_raw.network import SevenLayerNetwork
from tf_raw.training import train

SIDE = 64  # px, of the original's low-level graphs
LAYER_OPS = {"Conv2D", "MaxPool", "MatMul"}
RECORDED_EPOCHS = 100  # of the notebook's run
DECONVOLUTION = "Conv2DBackpropInput"  # what tf.nn.conv2d_transpose is in a graph


def traced(network):
    """The TensorFlow graph of a network's prediction at 64 px."""
    signature = tf.TensorSpec([1, SIDE, SIDE, 1])
    return tf.function(lambda L: network(L), autograph=False).get_concrete_function(signature).graph


def reached(graph):
    """The ops of a graph on which its output depends, found by walking back from it."""
    found, todo = set(), [tensor.op for tensor in graph.outputs]
    while todo:
        op = todo.pop()
        if op not in found:
            found.add(op)
            todo += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return found


def dead_layers_of(graph):
    """Names of the layers that compute something on which the output does not depend."""
    alive = reached(graph)
    layers = {op.name.partition("/")[0]: op in alive for op in graph.get_operations() if op.type in LAYER_OPS}
    return [name for name, is_alive in layers.items() if not is_alive]


def schematic_is_not_the_code(study):
    """Count the deconvolutions, of which the report's schematic has two, and look for its tanh."""
    networks = {
        "report": SevenLayerNetwork(),
        "colorize_cnn.py": ConvNetAsCoded(),
        "new_process.ipynb": DenseNetAsCoded(widest=8),
    }
    measured = {}
    for name, network in networks.items():
        types = [op.type for op in reached(traced(network))]
        measured[name] = {"deconvolutions": types.count(DECONVOLUTION), "tanh": types.count("Tanh")}
    layers = build_notebook().layers
    measured["colorization.ipynb"] = {
        "deconvolutions": sum(isinstance(layer, keras.layers.Conv2DTranspose) for layer in layers),
        "tanh": sum(getattr(layer, "activation", None) is keras.activations.tanh for layer in layers),
    }
    return measured


def dead_layers(study):
    """Walk each low-level graph back from its output and name what it never meets."""
    return {
        "colorize_cnn.py": dead_layers_of(traced(ConvNetAsCoded())),
        "new_process.ipynb": dead_layers_of(traced(DenseNetAsCoded(widest=8))),
        "the report's, ours": dead_layers_of(traced(SevenLayerNetwork())),
    }


def nearest_on_simplex(rows):
    """Project each row on what a softmax can give: no value below 0, sum 1 (Duchi et al. 2008, figure 1)."""
    descending = -np.sort(-rows, axis=1)
    excess = (np.cumsum(descending, axis=1) - 1) / np.arange(1, rows.shape[1] + 1)
    count = (descending > excess).sum(axis=1, keepdims=True)
    return np.maximum(rows - np.take_along_axis(excess, count - 1, axis=1), 0)


def softmax_floor(study):
    """The least error that a softmax over 128 channels of 8 x 8 cells, read as 64 x 64 x 2, can have on test."""
    test = read_split(study.source, SIDE, "test")
    errors = []
    for ab_code in test.ab:
        cells = cie_ab(ab_code).reshape(64, 128).astype(np.float64)
        errors.append(np.square(cells - nearest_on_simplex(cells)).mean())
    return {
        "least_mse_of_any_softmax": round(float(np.mean(errors)), 5),
        "gray_mse": mean_squared_error(gray, test),
        "trained_as_coded_mse": mean_squared_error(as_coded(study)[0].predict_ab, test),
    }


def as_coded(study):
    """The network of colorize_cnn.py, trained as `04_train_64.py --network as-coded` trains it, or taken from its run."""
    config = TrainingConfig(SIDE, "as_coded", **NETWORKS["as_coded"])
    if study.small:
        config = replace(config, epochs=2, images_per_epoch=16, batch_size=8, compute="float32")
    trained = train(config, study.source, study.runs / "as_coded_64")
    return colorizer_of(trained, config, "tf_raw", "as_coded_64"), trained.arrays


def exact_equality(study):
    """The "accuracy" that the original's Estimator reports: the share of label values that a prediction equals."""
    test = read_split(study.source, SIDE, "test")
    mean_ab = read_manifest(study.source)["resolutions"][str(SIDE)]["train"]["mean_ab"]
    models = {
        "gray": gray,
        "mean_colour": constant(mean_ab),
        "l2_64": load_colorizer("l2_64").predict_ab,
        "as_coded": as_coded(study)[0].predict_ab,
    }
    measured = {}
    for name, predict in models.items():
        equal = [
            np.mean(cie_ab(test.ab[row : row + 100]) == predict(test.L[row : row + 100]))
            for row in range(0, len(test.L), 100)
        ]
        measured[name] = {
            "accuracy": round(float(np.mean(equal)), 5),
            "mse": mean_squared_error(predict, test),
        }
    return measured


def batch_norm_at_test(study):
    """Error with batch normalisation in training mode at test time, by the number of pictures predicted together."""
    test = read_split(study.source, SIDE, "test")
    L, ab_true = test.L[: study.batch_norm_images], cie_ab(test.ab[: study.batch_norm_images])
    weights = load_weights(find_weights("l2_64"))
    ours = build_network("seven_layer", {**weights.attributes["arguments"], "dropout": 0.0})
    theirs = build_network("as_coded", {})
    measured = {"images": len(L)}
    for name, network, arrays in (("l2_64", ours, weights.arrays), ("as_coded", theirs, as_coded(study)[1])):
        network.assign(arrays)
        by_batch = _compiled(network, training=True)
        still = {"moving_statistics": True} if name == "as_coded" else {}
        moving = _compiled(network, **still)
        measured[name] = {"moving_statistics": _error(moving, network.units, L, ab_true, 100)}
        for size in (1, 10, 100):
            measured[name][f"batch_of_{size}"] = _error(by_batch, network.units, L, ab_true, size)
            network.assign(arrays)  # training mode has moved the statistics
    return measured


def _compiled(network, **options):
    return tf.function(lambda L: network(L, **options), reduce_retracing=True, autograph=False)


def _error(forward, units, L, ab_true, size):
    errors = []
    for start in range(0, len(L), size):
        batch = units.lightness_from_code(L[start : start + size].astype(np.float32))
        ab = units.cie_ab(forward(tf.constant(batch)).numpy())
        errors.append(np.square(ab - ab_true[start : start + size]).mean(axis=(1, 2, 3)))
    return round(float(np.concatenate(errors).mean()), 5)


def bottleneck(study):
    """Let the notebook's model overfit as its recorded run did, and see what it makes of photographs it never saw.

    It takes more epochs here: RMSprop at Keras' rate moves a value by about 0.001 a step, and the codes of ab, near 128,
    are sums of 64 products that begin at 0. The notebook does not say how its run got there in 1,000 steps.

    Its last layer is linear in 64 values, so all that it can draw lies in a space of 64 dimensions: the least error of
    any such space on these test photographs is that of their own 64 principal components.
    """
    colorizer, trained = _overfit_notebook(study)
    test = read_split(study.source_128, NOTEBOOK_SIDE, "test")
    labels = cie_ab(test.ab).reshape(len(test.id), -1).astype(np.float64)
    centred = labels - labels.mean(axis=0)
    energies = np.linalg.svd(centred @ centred.T, compute_uv=False)  # squares of the singular values
    left_over = energies[64:].sum() / labels.size
    first, last = trained.history[0], trained.history[-1]
    return {
        "training_images": study.notebook_images,
        "epochs": last["epoch"],
        "published_training_mse": {"first": 16068.9, "last": 146.7, "epochs": RECORDED_EPOCHS},
        "training_mse": {
            "first": round(first["train_mse"], 2),
            "after_as_many_epochs": round(trained.history[:RECORDED_EPOCHS][-1]["train_mse"], 2),
            "last": round(last["train_mse"], 2),
        },
        "val_mse": {
            "first": round(first["val_mse"], 2),
            "last": round(last["val_mse"], 2),
            "best": round(trained.summary["val_mse"], 2),
        },
        "unseen_mse": mean_squared_error(colorizer.predict_ab, test),
        "gray_unseen_mse": mean_squared_error(gray, test),
        "least_mse_of_64_dimensions": round(float(left_over), 2),
    }


def wrap_around(study):
    """Share of the ab values that the notebook's cast to uint8 wraps, on photographs it never saw."""
    test = read_split(study.source_128, NOTEBOOK_SIDE, "test")
    ab = _overfit_notebook(study)[0].predict_ab(test.L)
    code = ab + AB_ZERO
    wrapped = (code <= -1) | (code >= 256)  # the cast cuts off the fraction first
    cast = code.astype(np.int64).astype(np.uint8)  # what C's conversion does; of a float NumPy leaves it undefined
    return {
        "photographs": len(test.L),
        "values": int(code.size),
        "share_wrapped": float(wrapped.mean()),
        "photographs_with_one": int(wrapped.any(axis=(1, 2, 3)).sum()),
        "range_of_codes": [round(float(code.min()), 1), round(float(code.max()), 1)],
        "mse": round(float(np.square(ab - cie_ab(test.ab)).mean()), 3),
        "mse_after_the_cast": round(float(np.square(cie_ab(cast) - cie_ab(test.ab)).mean()), 3),
    }


def _overfit_notebook(study):
    """The notebook's model after our run of its recorded one (500 images, no early stopping, but more epochs), and that run."""
    root, name = study.folder / "shards", "notebook"
    splits = {
        "train": first_photographs(study.source_128, NOTEBOOK_SIDE, "train", study.notebook_images),
        "val": read_split(study.source_128, NOTEBOOK_SIDE, "val"),
    }
    write_source(root, name, NOTEBOOK_SIDE, splits)
    config = keras_config.TrainingConfig(
        **{**keras_config.NETWORKS["notebook"], "epochs": study.notebook_epochs},
        network="notebook",
        patience=study.notebook_epochs,
        mirrored=False,
    )
    if study.small:
        config = replace(config, batch_size=8, compute="float32")
    folder = study.folder / name
    trained = train_keras(config, name, folder, root=root)
    model = build_notebook()
    model.set_weights(load_state(folder, run_settings(config, name, None, root))["weights"])  # the last, not the best
    return colorizer_of(replace(trained, arrays=to_arrays(model)), config, "keras", name), trained
