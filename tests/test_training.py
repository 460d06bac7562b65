"""The low-level loop: what a resumed run equals, and what ends a run."""

import json
import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import narrowed, run_script, start_script, traced_into_no_graph
from forked import Forked

from preprocessing.batches import TrainingBatches
from preprocessing.files import UserError
from preprocessing.sources import EMBEDDED_TRAINING
from tf_raw import training
from tf_raw.adam import Adam
from tf_raw.checkpoints import RunState
from tf_raw.config import TrainingConfig, parse_options
from tf_raw.losses import squared_loss
from tf_raw.network import SevenLayerNetwork
from tf_raw.summaries import Summaries

SCRIPT = "tf_raw/03_train_32.py"
CONFIG = TrainingConfig(
    32, epochs=3, batch_size=4, warmup_steps=2, compute="float32", dropout=0.2, weight_decay=0.01, average_decay=0.9
)


def run(folder, shard_root, config=CONFIG, **options):
    return training.train(config, EMBEDDED_TRAINING, folder, root=shard_root, **options)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, shard_root):
    """What a run from first to last gave, and its folder, which a test copies."""
    folder = tmp_path_factory.mktemp("unbroken")
    with narrowed():
        return run(folder, shard_root), folder


@pytest.fixture
def copied(unbroken, tmp_path, narrow):
    return shutil.copytree(unbroken[1], tmp_path, dirs_exist_ok=True)


def test_resumed_run_equals_unbroken_run(tmp_path, shard_root, narrow, unbroken, monkeypatch):
    original, calls = TrainingBatches.from_step, []

    def breaks_off(self, step):  # ends the process's work in the middle of the second epoch, as a kill would
        for index, batch in enumerate(original(self, step)):
            calls.append(index)
            if len(calls) == 9:
                raise Interrupted
            yield batch

    monkeypatch.setattr(TrainingBatches, "from_step", breaks_off)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", shard_root)
    resumed = run(tmp_path / "broken", shard_root)
    for name, array in unbroken[0].arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], array, err_msg=name)
    logs = [(folder / "log.csv").read_text().splitlines() for folder in (unbroken[1], tmp_path / "broken")]
    for one, other in zip(*logs, strict=True):  # but for the seconds
        assert [one.split(",")[i] for i in (0, 1, 4, 5, 6)] == [other.split(",")[i] for i in (0, 1, 4, 5, 6)]


@pytest.mark.parametrize("emptied", [True, False])
def test_a_run_whose_index_of_checkpoints_and_settings_are_lost_goes_on(
    copied, unbroken, shard_root, monkeypatch, emptied
):
    for path in (copied / "checkpoints/checkpoint", copied / "config.json"):
        path.write_bytes(b"") if emptied else path.unlink()
    monkeypatch.setattr(training, "validation_loss", None)  # a run that began again would call it
    again = run(copied, shard_root)
    assert all((again.arrays[name] == array).all() for name, array in unbroken[0].arrays.items())
    assert json.loads((copied / "config.json").read_text())["batch_size"] == CONFIG.batch_size


def test_a_run_that_lost_the_indices_of_its_checkpoints_says_so_and_begins_anew(tmp_path, narrow, capsys):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/ckpt-3.data-00000-of-00001").write_bytes(b"x")
    network = SevenLayerNetwork()
    assert not RunState(network, network, Adam(network.trainable_variables), tmp_path).restore()
    assert "none that is whole" in capsys.readouterr().out


def test_a_finished_run_is_not_run_again_and_keeps_the_best_epoch(tmp_path, shard_root, narrow, monkeypatch):
    scores = iter([500.0, 300.0, 400.0])
    monkeypatch.setattr(training, "validation_loss", lambda *_: next(scores))
    first = run(tmp_path, shard_root)
    assert (first.summary["best_epoch"], first.summary["val_mse"], first.summary["epochs"]) == (2, 300.0, 3)
    again = run(tmp_path, shard_root)  # next(scores) would raise
    assert all((again.arrays[name] == array).all() for name, array in first.arrays.items())


def test_early_stopping_ends_a_run_that_gets_no_better(tmp_path, shard_root, narrow, monkeypatch):
    scores = iter([300.0, 400.0, 400.0, 400.0])
    monkeypatch.setattr(training, "validation_loss", lambda *_: next(scores))
    config = TrainingConfig(32, epochs=9, batch_size=10, patience=2, compute="float32")
    assert run(tmp_path, shard_root, config).summary["epochs"] == 3


def test_training_lowers_the_error_on_what_it_sees(tmp_path, shard_root, narrow):
    config = TrainingConfig(32, epochs=12, batch_size=10, warmup_steps=2, patience=99, compute="float32")
    run(tmp_path, shard_root, config)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    assert float(rows[-1][5]) < 0.5 * float(rows[0][5])


def test_a_run_with_other_settings_is_refused(copied, shard_root):
    with pytest.raises(UserError, match="batch_size 4 .now 5."):
        run(copied, shard_root, replace(CONFIG, batch_size=5))


def test_a_damaged_checkpoint_falls_back_to_the_one_before(copied, shard_root):
    newest = max((copied / "checkpoints").glob("*.data-*"), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert run(copied, shard_root).summary["epochs"] == 3


def test_a_full_disk_ends_the_run_with_one_line_and_it_goes_on_later(tmp_path, shard_root, narrow):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write a checkpoint .File too large.: make room"):
            run(tmp_path, shard_root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "checkpoints").glob("*temp*"))
    assert run(tmp_path, shard_root).summary["epochs"] == 3


def test_without_room_for_tensorboard_a_run_goes_on(tmp_path, capsys):
    (tmp_path / "tensorboard").write_text("in its way")
    summaries = Summaries(tmp_path / "tensorboard")
    for epoch in (1, 2):
        summaries.write(epoch, {"val_mse": 1.0})
    assert capsys.readouterr().err.count("no TensorBoard of this run from here on") == 1


def test_nan_stops_the_run_with_a_clear_error(tmp_path, shard_root, narrow, monkeypatch):
    monkeypatch.setattr(training, "compiled_step", lambda *_: lambda *_: float("nan"))
    with pytest.raises(UserError, match="nan at step 0.*--learning-rate"):
        run(tmp_path, shard_root)


def test_auto_keeps_one_of_the_two_types(tmp_path, shard_root, narrow, capsys):
    config = TrainingConfig(32, epochs=1, batch_size=4, compute="auto")
    compute = run(tmp_path, shard_root, config).summary["compute"]
    assert f"compute: {compute} (float32" in capsys.readouterr().out


def test_the_average_follows_the_weights_and_decay_0_is_the_weights(narrow):
    L, ab = np.zeros((2, 8, 8, 1), np.uint8), np.full((2, 8, 8, 2), 140, np.uint8)
    for decay in (0.0, 0.75):
        network, average = SevenLayerNetwork(seed=1), SevenLayerNetwork(seed=1)
        before = network.to_arrays()
        optimizer, loss = Adam(network.trainable_variables), squared_loss(network.units)
        training.train_step(network, average, optimizer, loss, L, ab, 0.1, decay, [0, 0], tf.float32)
        for name, array in network.to_arrays().items():
            expected = decay * before[name] + (1 - decay) * array
            np.testing.assert_allclose(average.to_arrays()[name], expected, atol=1e-6, err_msg=name)
            assert (array != before[name]).any() or "moving" in name


def test_the_average_forgets_where_it_began():
    config = TrainingConfig(32, average_decay=0.999)
    assert training.average_decay_at(0, config) == 0.1
    assert training.average_decay_at(10**6, config) == 0.999
    assert training.average_decay_at(10**6, TrainingConfig(32)) == 0


def test_the_rate_warms_up_and_decays_to_zero():
    config = TrainingConfig(32, learning_rate=1.0, warmup_steps=10)
    rates = [training.learning_rate_at(step, config, 100) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == rates[9] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[-1] < 0.001


@pytest.mark.parametrize(
    ("script", "arguments", "run", "state"),
    [
        (
            SCRIPT,
            "--epochs 6 --batch-size 10 --images-per-epoch 20 --patience 6",
            "demonstration_l2_32",
            "checkpoints/checkpoint",
        ),
        (
            "keras_port/06_train_128.py",
            "--epochs 3 --batch-size 2 --images-per-epoch 4",
            "demonstration_l2_128",
            "state.h5",
        ),
    ],
)
def test_a_stopped_and_killed_script_goes_on(tmp_path, shard_root, script, arguments, run, state):
    """Ended by Ctrl-C, and then by a kill, as soon as its state is written; then it may finish."""
    (tmp_path / "shards").symlink_to(shard_root)
    folder, arguments = tmp_path / "runs" / run, arguments.split()
    state, said = folder / state, []
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = written(state)
        if number == signal.SIGINT and "keras" in script:  # one of the four as a user starts it
            process = start_script(script, *arguments, cwd=tmp_path)
        else:
            process = Forked(script, *arguments, cwd=tmp_path, traced=number == signal.SIGINT)
        deadline = time.monotonic() + 120
        while written(state) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, number)
        said.append(process.communicate(timeout=60)[0])
        assert process.returncode == code, said
    assert "Traceback" not in said[0]
    assert f"{Path(script).name}: stopped" in said[0].splitlines()[-1]
    assert "going on with" in said[1]
    with traced_into_no_graph():
        finished = run_script(script, *arguments, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "going on with" in finished.stdout
    epochs = int(arguments[1])
    assert len((folder / "log.csv").read_text().splitlines()) == epochs + 1
    if script == SCRIPT:
        assert json.loads((folder / "config.json").read_text())["epochs"] == epochs


def written(path):
    return path.stat().st_mtime_ns if path.exists() else None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--epochs", "0"],
        ["--learning-rate", "nan"],
        ["--seed", "-1"],
        ["--no-such-flag"],
        ["--init", "missing.h5"],
        ["--data", "never-built.zip"],
    ],
)
def test_errors_of_a_user_are_one_line_and_exit_code_2(tmp_path, arguments):
    process = run_script(SCRIPT, *arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "error: " in process.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        (
            ["--preset", "report"],
            "report_64",
            {"augment": False, "dropout": 0.4, "batch_size": 10, "dilation": 1, "weight_decay": 0.0},
        ),
        (["--network", "as-coded"], "as_coded_64", {"batch_size": 2500, "weight_decay": 0.0, "average_decay": 0.0}),
        (["--network", "dense"], "dense_64", {"batch_size": 10, "images_per_epoch": 2010, "checkpoints": False}),
        (["--objective", "rebalanced"], "rebalanced_64", {"network": "bins", "objective": "rebalanced", "dilation": 2}),
        (
            [],
            "l2_64",
            {"augment": True, "network": "seven_layer", "dilation": 2, "dropout": 0.1, "mirror_average": True},
        ),
        (["--dilation", "1", "--dropout", "0"], "l2_64", {"dilation": 1, "dropout": 0.0}),
    ],
)
def test_the_command_line_gives_the_configuration_it_says(monkeypatch, arguments, name, expected):
    monkeypatch.setattr("sys.argv", ["04_train_64.py", "--data", "photos.zip", *arguments])
    options = parse_options("", 64)
    assert options.name == name
    config = options.config.to_dict()
    assert {key: config[key] for key in expected} == expected
