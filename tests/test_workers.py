"""Two workers on this machine: what they train equals what one does, and what happens when one is killed."""

import json
import os
import signal
import socket
import time

import a_worker
import numpy as np
import pytest
from conftest import run_script
from forked import Forked

from preprocessing.files import UserError
from tf_raw.layers import BN_MOMENTUM
from tf_raw.workers import ALONE, Workers, join

TWO = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


def tf_config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def started(command, cwd):
    """Both workers of `command`, their output joined."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]}
    for each in sockets:
        each.close()
    return [Forked(*command, cwd=cwd, environment={"TF_CONFIG": tf_config(cluster, index=index)}) for index in range(2)]


def ended(processes):
    """What each worker says, and its exit code."""
    try:
        return [(process.communicate(timeout=600)[0], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module")
def killed(tmp_path_factory, shard_root):
    """Where two workers trained, then ran script 03 until number 1 was killed; and what they said, with exit codes."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "shards").symlink_to(shard_root)
    processes = started([a_worker.__file__, shard_root, folder], folder)
    checkpoint = folder / "runs/demonstration_l2_32/checkpoints/checkpoint"
    end = time.monotonic() + 600
    while not checkpoint.exists() and all(each.poll() is None for each in processes) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(processes[1].pid, signal.SIGKILL)
    return folder, ended(processes)


def test_two_workers_train_what_one_does(tmp_path, shard_root, killed):
    """But for their batch statistics: each normalises by its half of a batch."""
    folder, _ = killed
    frozen, step = a_worker.trained(shard_root, tmp_path)
    workers = [[dict(np.load(folder / f"{run}{rank}.npz")) for run in ("frozen", "step")] for rank in range(2)]
    for one, other in zip(*workers, strict=True):
        assert all((one[name] == array).all() for name, array in other.items())
    for name, array in frozen.items():
        np.testing.assert_allclose(workers[0][0][name], array, rtol=0, atol=1e-5, err_msg=name)
    # The mean of both halves' means is that of the whole; that of their variances lacks the variance between the means.
    ours = workers[0][1]
    np.testing.assert_allclose(ours["conv1/moving_mean"], step["conv1/moving_mean"], atol=1e-7)
    lacking = step["conv1/moving_variance"] - ours["conv1/moving_variance"]
    assert -1e-6 < lacking.min() < 1e-5 < lacking.max() < 1 - BN_MOMENTUM


def test_a_killed_worker_ends_the_other_with_one_line_and_both_go_on(killed):
    folder, ((said, code), (_, code_of_killed)) = killed
    assert (code, code_of_killed) == (2, -signal.SIGKILL), said
    assert "Traceback" not in said
    assert "03_train_32.py: error: another worker has ended" in said.splitlines()[-1]
    (first, code), (second, code_of_second) = ended(started([a_worker.SCRIPT, *a_worker.FLAGS], folder))
    assert (code, code_of_second) == (0, 0), first + second
    assert "going on with" in first
    assert "epoch 6" in first
    assert "epoch 6" not in second
    assert "weights:" in first
    assert "weights:" not in second
    assert len((folder / "runs/demonstration_l2_32/log.csv").read_text().splitlines()) == 7


@pytest.mark.parametrize(
    "text",
    [
        "host:1",
        "[]",
        tf_config({}),
        tf_config({"worker": "host:1"}),
        tf_config({"worker": ["host"]}),
        tf_config({"worker": ["host:1", "host:1"]}),
        tf_config(TWO, index=2),
        tf_config(TWO, index=None),
        tf_config(TWO, kind="chief"),
        tf_config(TWO | {"ps": ["host:1"]}),
    ],
)
def test_a_malformed_tf_config_is_one_line(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="^TF_CONFIG is .*, and should be like"):
        join(8)


def test_a_batch_that_workers_do_not_divide_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(TWO | {"chief": ["127.0.0.1:3"]}, "chief"))
    process = run_script("tf_raw/04_train_64.py", "--batch-size", "10", cwd=tmp_path)
    assert process.returncode == 2
    assert "error: 3 workers cannot share a batch of 10" in process.stderr


def test_a_worker_with_other_flags_is_refused(monkeypatch):
    second = Workers(ALONE.strategy, rank=1, count=2)
    monkeypatch.setattr(Workers, "total", lambda *_: 1)  # what the first has sent
    with pytest.raises(UserError, match="other flags"):
        second.check_same({"seed": 2}, "other flags")


def test_the_shares_of_workers_are_the_whole():
    shares = [range(10)[Workers(None, rank, 3).share(10)] for rank in range(3)]
    assert [place for share in shares for place in share] == list(range(10))
