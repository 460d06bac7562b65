"""Files that are whole or absent on any file system: without locks, with long names, without permission."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys

import h5py
import pytest
from conftest import photograph_file, run_process

from preprocessing import front_door
from preprocessing.files import UserError, held, json_object, printable, write_atomically
from preprocessing.hdf5 import reading
from preprocessing.shards import read_manifest

NO_LOCKS = "#include <errno.h>\nint flock(int fd, int op) { errno = ENOLCK; return -1; }\n"  # as some NFS


@pytest.fixture(scope="module")
def without_locks(tmp_path_factory):
    """The environment of a process for which no file system has locks."""
    if not (compiler := shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("nolock")
    (folder / "nolock.c").write_text(NO_LOCKS)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "nolock.so", folder / "nolock.c"], check=True)
    return {**os.environ, "LD_PRELOAD": str(folder / "nolock.so")}


def test_a_build_and_a_colouring_on_a_file_system_without_locks(tmp_path, without_locks):
    for index in range(20):
        photograph_file(tmp_path / "photos" / f"{index}.png", index)
    build = "preprocessing/02_build_shards.py"
    built = run_process(build, "--data", "photos", "--resolutions", "32", cwd=tmp_path, env=without_locks)
    assert built.returncode == 0, built.stderr
    assert "cannot be locked" in built.stderr
    coloured = run_process(
        "results/colorize/command.py", "photos/0.png", "--model", "32", cwd=tmp_path, env=without_locks
    )
    assert coloured.returncode == 0, coloured.stderr
    assert (tmp_path / "photos/0-colorized.png").exists()


def test_a_folder_is_held_by_one_process_where_there_are_locks(tmp_path, monkeypatch):
    with held(tmp_path), pytest.raises(UserError, match="another process"), held(tmp_path):
        pass

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with held(tmp_path):
        pass


def test_what_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with pytest.raises(UserError, match="cannot read .*a.h5: No such file"), reading(path, "shard", "build it"):
        pass
    path.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="a.h5 is damaged or no shard .*: build it"), reading(path, "shard", "build it"):
        pass

    def refusing(*_, **__):
        raise PermissionError(errno.EACCES, "Unable to synchronously open file")

    monkeypatch.setattr(h5py, "File", refusing)
    with pytest.raises(UserError, match="a.h5: Permission denied"), reading(path, "shard", "build it"):
        pass


def test_a_name_as_long_as_names_can_be_is_written_and_leaves_nothing_beside_it(tmp_path):
    name = "n" * 251 + ".png"
    write_atomically(tmp_path / name, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"whole"
    with pytest.raises(UserError, match="File name too long"):
        write_atomically(tmp_path / ("n" * 256), b"")


def test_a_path_that_is_too_long_or_closed_is_one_line_at_the_front_door(tmp_path):
    for command in (
        ["results/colorize/command.py", "n" * 300],
        ["results/colorize/command.py", "a.png", "--out", "n" * 300],
    ):
        photograph_file(tmp_path / "a.png", 1)
        process = run_process(*command, cwd=tmp_path)
        assert process.returncode == 2, process.stderr
        assert len(process.stderr.splitlines()) == 1
        assert "Traceback" not in process.stderr
    program = (
        "from preprocessing.front_door import run\ndef main(): raise PermissionError(13, 'Permission denied', 'x')\n"
    )
    process = subprocess.run([sys.executable, "-c", program + "run(main)"], capture_output=True, text=True)
    assert process.stderr.endswith("error: cannot read or write x: Permission denied\n")


def test_a_message_is_one_line_whatever_a_name_holds():
    assert printable("new\nline \x1b[31m \udce9 é 日本 😀.jpg") == r"new\nline \x1b[31m \udce9 é 日本 😀.jpg"


def test_a_folder_that_is_gone_is_one_line_at_the_front_door(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit) as ended:
        front_door.run(os.getcwd)
    monkeypatch.chdir(tmp_path)
    assert ended.value.code == 2
    assert "was deleted" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[1]", "null", "{"])
def test_json_of_another_kind_is_no_settings_and_no_manifest(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r".*"):
        json_object(tmp_path / "manifest.json")
    with pytest.raises(UserError, match="no readable"):
        read_manifest("", tmp_path)


def test_outputs_that_are_closed_are_opened_to_nowhere():
    program = "import os, sys\nfrom preprocessing import front_door\n"
    program += "front_door.run(lambda: sys.exit(print('lost', file=sys.stderr) or os.open(os.devnull, 0)))"
    process = subprocess.run(["sh", "-c", '"$0" -c "$1" >&- 2>&-', sys.executable, program])
    assert process.returncode > 2  # the next file that is opened
