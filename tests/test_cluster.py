import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY, photograph_file, run_script, start_script

from preprocessing.build import build_shards
from preprocessing.sources import open_source

distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install -e '.[cluster]'")
from preprocessing.cluster import _complaint, _Job  # noqa: E402 - which needs it

BUILD = "preprocessing/02_build_shards.py"


@contextlib.contextmanager
def worker(scheduler, folder, code=REPOSITORY):
    """A `dask worker` that has the repository at `code`, its working directory elsewhere."""
    folder.mkdir()
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.address, "--no-nanny", "--nthreads", "1"]
    process = subprocess.Popen(
        [*command, "--no-dashboard", "--name", folder.name],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(code)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
    )
    try:
        wait_for(lambda: named(scheduler, folder.name), process)
        yield process
    finally:
        process.kill()
        process.wait()


def named(scheduler, name):
    """The scheduler's state of a worker, or None before it has come."""
    return next((each for each in list(scheduler.workers.values()) if each.name == name), None)


def wait_for(condition, process):
    """Wait until `condition` holds, as long as `process` runs."""
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.args
        assert time.monotonic() < end, process.args
        time.sleep(0.01)


def frozen_at_work(scheduler, victim):
    """Whether the worker `one` was halted while it has tasks; where it has none it goes on."""
    os.kill(victim.pid, signal.SIGSTOP)
    time.sleep(0.05)  # what it has sent arrives
    if named(scheduler, "one").processing:
        return True
    os.kill(victim.pid, signal.SIGCONT)
    return False


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster.scheduler


@pytest.fixture
def photos(tmp_path):
    for index in range(400):  # many blocks, so that signals come amid the build
        photograph_file(tmp_path / "photos" / f"{index}.png", index)
    return tmp_path / "photos"


def test_a_build_that_is_stopped_and_loses_a_worker_equals_a_local_one(tmp_path, scheduler, photos):
    arguments = ("--data", "photos", "--resolutions", "32", "64", "--crops", "40", "--scheduler", scheduler.address)
    shards = tmp_path / "shards" / "photos"
    with worker(scheduler, tmp_path / "one") as victim, worker(scheduler, tmp_path / "two") as heir:
        process = start_script(BUILD, *arguments, cwd=tmp_path)
        wait_for(lambda: list(shards.glob("32/train-*.h5")), process)
        os.kill(process.pid, signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 130, output
        assert output.splitlines()[-1].startswith("02_build_shards.py: stopped")
        assert "Traceback" not in output
        with distributed.Client(scheduler.address) as client:
            tasks = client.run(
                lambda dask_worker: [key for key in dask_worker.state.tasks if key.startswith("shards-")]
            )
            assert list(tasks.values()) == [[], []]
        wait_for(lambda: not scheduler.tasks, heir)
        assert not json.loads((shards / "manifest.json").read_text())["complete"]
        kept = {path: path.stat().st_mtime_ns for path in shards.rglob("*.h5")}

        process = start_script(BUILD, *arguments, cwd=tmp_path)
        wait_for(lambda: set(shards.rglob("*.h5")) > kept.keys(), process)
        wait_for(lambda: frozen_at_work(scheduler, victim), process)
        assert list(shards.glob(".shards-*.tmp")), "workers that come later would look for it"
        victim.kill()
        output = process.communicate(timeout=120)[0]
        assert process.returncode == 0, output
        assert heir.poll() is None
    for path, written in kept.items():
        assert path.stat().st_mtime_ns == written
    assert not list(shards.rglob(".*.tmp"))

    build_shards(open_source([photos]), [32, 64], crops=40, root=tmp_path / "local")
    local = tmp_path / "local" / "photos"
    files = sorted(path.relative_to(local) for path in local.rglob("*.h5"))
    assert files == sorted(path.relative_to(shards) for path in shards.rglob("*.h5"))
    for name in files:
        assert (local / name).read_bytes() == (shards / name).read_bytes(), name
    ours, theirs = (json.loads((root / "manifest.json").read_text()) for root in (local, shards))
    assert ours | {"seconds": 0} == theirs | {"seconds": 0}


def test_a_worker_with_another_version_of_our_code_is_refused(tmp_path, scheduler, photos):
    other = tmp_path / "other"
    shutil.copytree(REPOSITORY / "preprocessing", other / "preprocessing", ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "preprocessing" / "lab.py").open("a") as file:
        file.write("# changed\n")
    with worker(scheduler, tmp_path / "three", other):
        process = run_script(BUILD, "--data", photos, "--scheduler", scheduler.address, cwd=tmp_path)
    assert process.returncode == 2
    assert "has another version of preprocessing" in process.stderr
    assert len(process.stderr.splitlines()) == 1
    assert not list((tmp_path / "shards").rglob("*.h5"))


def test_a_worker_that_does_not_see_the_folder_or_the_photographs_is_refused(tmp_path, photos):
    token, picture = tmp_path / "token", photos / "0.png"
    token.touch()
    seen = (str(picture), picture.stat().st_size)
    assert _complaint(_Job("a", str(token), (seen,))) is None
    assert "does not see" in _complaint(_Job("b", str(tmp_path / "elsewhere" / "token"), (seen,)))
    for unseen in ((str(photos / "none.png"), 1), (seen[0], 1)):
        assert f"does not see {unseen[0]}" in _complaint(_Job("c", str(token), (unseen,)))


@pytest.mark.parametrize(("installed", "message"), [(True, "no Dask scheduler answers"), (False, "'.[cluster]'")])
def test_without_a_scheduler_or_dask_one_line_says_so(tmp_path, photos, monkeypatch, installed, message):
    monkeypatch.setattr("preprocessing.cluster.CONNECT", 1)
    if not installed:
        monkeypatch.delitem(sys.modules, "preprocessing.cluster")
        monkeypatch.setitem(sys.modules, "distributed", None)
    process = run_script(BUILD, "--data", photos, "--scheduler", "127.0.0.1:1", cwd=tmp_path)
    assert process.returncode == 2
    assert message in process.stderr
    assert len(process.stderr.splitlines()) == 1
