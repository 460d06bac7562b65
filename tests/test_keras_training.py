"""Keras' `fit`, resumed: what a killed run keeps, and the same under JAX."""

import importlib.util
import os
import resource
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import REPOSITORY, traced_into_no_graph

from keras_port import training
from keras_port.config import TrainingConfig, parse_options
from preprocessing.files import UserError
from preprocessing.sources import EMBEDDED_TRAINING

CONFIG = TrainingConfig(
    32,
    epochs=4,
    images_per_epoch=8,
    batch_size=4,
    warmup_steps=2,
    compute="float32",
    filters=8,
    dropout=0.1,
    weight_decay=0.01,
    average_decay=0.9,
)


def run(folder, shard_root, config=CONFIG, **options):
    with traced_into_no_graph():
        return training.train(config, EMBEDDED_TRAINING, folder, root=shard_root, **options)


class Interrupted(Exception):
    pass


def test_a_killed_run_keeps_its_best_weights_score_and_patience_and_equals_an_unbroken_one(
    tmp_path, shard_root, monkeypatch
):
    (tmp_path / "unbroken").mkdir()
    (tmp_path / "unbroken/log.csv").write_text("of an epoch whose state could not be saved\n")
    unbroken = run(tmp_path / "unbroken", shard_root)

    def breaks_off(self, batch, logs=None):  # in the third epoch, after its state was begun
        if self.state.get("epoch") == 2:
            raise Interrupted

    monkeypatch.setattr(training.ResumableState, "on_train_batch_end", breaks_off)
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", shard_root)
    monkeypatch.undo()
    resumed = run(tmp_path / "broken", shard_root)
    assert resumed.summary | {"seconds": 0} == unbroken.summary | {"seconds": 0}
    for name, array in unbroken.arrays.items():
        np.testing.assert_allclose(resumed.arrays[name], array, atol=1e-6, err_msg=name)
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("unbroken", "broken")]
    assert [line.split(",")[0] for line in logs[1]] == ["epoch", "0", "1", "2", "3"]
    for unbroken_line, broken_line in zip(logs[0][1:], logs[1][1:], strict=True):
        errors = [[float(value) for value in line.split(",")] for line in (unbroken_line, broken_line)]
        np.testing.assert_allclose(errors[1], errors[0], rtol=1e-5)


def test_best_weights_of_before_a_restart_survive_worse_epochs_after_it(tmp_path, shard_root, monkeypatch):
    scores = iter([300.0, 200.0, 250.0, 260.0])
    monkeypatch.setattr(keras.callbacks.EarlyStopping, "get_monitor_value", lambda self, logs: next(scores))
    saved = {}
    original_end = training.ResumableState.on_epoch_end

    def remembers_and_breaks_off(self, epoch, logs=None):
        original_end(self, epoch, logs)
        saved[epoch] = [array.copy() for array in self.state["best_weights"]]
        if epoch == 1:
            raise Interrupted

    monkeypatch.setattr(training.ResumableState, "on_epoch_end", remembers_and_breaks_off)
    with pytest.raises(Interrupted):
        run(tmp_path, shard_root)
    monkeypatch.setattr(training.ResumableState, "on_epoch_end", original_end)
    trained = run(tmp_path, shard_root)
    assert (trained.summary["val_mse"], trained.summary["best_epoch"]) == (200.0, 2)
    model = training.build_network("seven_layer", {"filters": 8})
    model.set_weights(saved[1])
    for name, array in training.to_arrays(model).items():
        np.testing.assert_array_equal(trained.arrays[name], array, err_msg=name)


def test_the_average_of_the_weights_is_kept_and_the_weights_go_on(tmp_path, shard_root, monkeypatch):
    scores = iter([300.0, 200.0])
    monkeypatch.setattr(keras.callbacks.EarlyStopping, "get_monitor_value", lambda self, logs: next(scores))
    biases = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            biases.append(training.to_arrays(self.model)["output/bias"])

    config = replace(CONFIG, epochs=2, images_per_epoch=16, learning_rate=0.01, warmup_steps=0)
    trained = run(tmp_path, shard_root, config, callbacks=[Record()])
    average = biases[0]
    for bias in biases[1:]:
        average = config.average_decay * average + (1 - config.average_decay) * bias
    np.testing.assert_allclose(trained.arrays["output/bias"], average, rtol=1e-4)
    before, after = biases[3:5]  # the last of the first epoch, the first of the second
    assert np.abs(after - before).max() < 0.5 * np.abs(before - average).max()


def test_patience_counts_on_over_a_restart(tmp_path, shard_root, monkeypatch):
    scores = iter([200.0, 250.0, 260.0, 270.0])
    monkeypatch.setattr(keras.callbacks.EarlyStopping, "get_monitor_value", lambda self, logs: next(scores))
    config = TrainingConfig(32, epochs=9, images_per_epoch=8, batch_size=4, patience=2, compute="float32", filters=8)
    original_end = training.ResumableState.on_epoch_end

    def breaks_off(self, epoch, logs=None):
        original_end(self, epoch, logs)
        if epoch == 1:
            raise Interrupted

    monkeypatch.setattr(training.ResumableState, "on_epoch_end", breaks_off)
    with pytest.raises(Interrupted):
        run(tmp_path, shard_root, config)
    monkeypatch.setattr(training.ResumableState, "on_epoch_end", original_end)
    assert run(tmp_path, shard_root, config).summary["epochs"] == 3


def test_training_starts_from_tf_raws_weights(tmp_path, shard_root, narrow):
    from tf_raw.network import SevenLayerNetwork

    initial = SevenLayerNetwork(seed=7).to_arrays()
    config = replace(CONFIG, epochs=1, images_per_epoch=4, learning_rate=1e-9, dropout=0.0, average_decay=0.0)
    trained = run(tmp_path, shard_root, config, initial=initial).arrays
    np.testing.assert_allclose(trained["conv4/kernel"], initial["conv4/kernel"], atol=1e-6)


def test_a_full_disk_ends_a_run_with_one_line_and_a_lost_log_none(tmp_path, shard_root, capsys):
    config = replace(CONFIG, epochs=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write .*state.h5: File too large; make room"):
            run(tmp_path, shard_root, config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().err.count("no TensorBoard of this run from here on") == 1
    trained = run(tmp_path, shard_root, config)
    (tmp_path / "log.csv").unlink()
    assert run(tmp_path, shard_root, config).history == trained.history
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


def test_a_run_with_other_settings_and_a_damaged_state_are_refused(tmp_path, shard_root):
    config = TrainingConfig(32, epochs=1, images_per_epoch=4, batch_size=4, compute="float32", filters=8)
    run(tmp_path, shard_root, config)
    with pytest.raises(UserError, match="seed 1 .now 2."):
        run(tmp_path, shard_root, replace(config, seed=2))
    with pytest.raises(UserError, match="began_from"):
        run(
            tmp_path,
            shard_root,
            config,
            initial=training.to_arrays(training.build_network("seven_layer", {"filters": 8})),
        )
    (tmp_path / "state.h5").write_bytes((tmp_path / "state.h5").read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        run(tmp_path, shard_root, config)


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_the_same_code_trains_under_jax_to_the_same_error(tmp_path, shard_root, narrow):
    from tf_raw.network import SevenLayerNetwork

    initial = SevenLayerNetwork(seed=7).to_arrays()
    np.savez(tmp_path / "initial.npz", **initial)
    config = replace(CONFIG, epochs=2, dropout=0.0, weight_decay=0.0, average_decay=0.0)
    program = f"""
import sys
sys.modules["tensorflow"] = None  # as where it is absent
from pathlib import Path
import numpy as np
from keras_port.config import TrainingConfig
from keras_port.training import train
initial = dict(np.load({str(tmp_path / "initial.npz")!r}))
trained = train({config!r}, "embedded-training", {str(tmp_path / "jax")!r}, initial, Path({str(shard_root)!r}))
print(trained.summary["backend"], trained.summary["val_mse"])
"""
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    backend, val_mse = process.stdout.split()[-2:]
    assert backend == "jax"
    trained = run(tmp_path / "tensorflow", shard_root, config, initial=initial)
    assert float(val_mse) == pytest.approx(trained.summary["val_mse"], rel=0.01)


def test_weight_decay_shrinks_kernels_and_nothing_else():
    model = training._compiled(replace(CONFIG, weight_decay=0.5), "float32", 10, "mse")
    before = [np.array(variable) for variable in model.trainable_variables]
    for _ in range(3):  # the first has a rate of 0
        model.optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    for variable, values in zip(model.trainable_variables, before, strict=True):
        shrunk = np.abs(np.array(variable)).sum() < np.abs(values).sum()
        assert shrunk == (variable.name == "kernel"), variable.path


@pytest.mark.parametrize(
    ("words", "name", "expected"),
    [
        ([], "l2_128", {"network": "seven_layer", "dilation": (5, 3, 1), "dropout": 0.1}),
        (["--dilation", "1", "--dropout", "0"], "l2_128", {"dilation": 1, "dropout": 0.0}),
        (["--objective", "rebalanced"], "rebalanced_128", {"network": "bins", "dilation": (5, 3, 1)}),
        (["--dilation", "4", "3", "1"], "l2_128", {"dilation": (4, 3, 1)}),
        (["--network", "unet"], "unet_128", {"network": "unet", "crop": 128, "train_side": 144, "augment": True}),
        (["--network", "unet", "--objective", "rebalanced"], "unet_rebalanced_128", {"network": "unet_bins"}),
        (["--network", "unet", "--from-nothing"], "unet_128", {"pretrained": False, "frozen_stages": 0}),
        (["--network", "notebook"], "notebook_128", {"optimizer": "rmsprop", "batch_size": 50, "dropout": 0.0}),
    ],
)
def test_the_flags_say_which_network(monkeypatch, words, name, expected):
    monkeypatch.setattr(sys, "argv", ["06_train_128.py", "--data", "photographs.zip", *words])
    options = parse_options("")
    assert options.name == name
    assert {key: getattr(options.config, key) for key in expected} == expected
