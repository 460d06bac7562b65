"""What is to be coloured, and where it is written: names alike, long names, what is passed over."""

import os
import sys
from pathlib import Path

import pytest
from conftest import photograph_file, run_script
from pictures import COLOURS, encoded

from preprocessing.files import UserError
from preprocessing.photograph import UnreadableFile, check_file
from results.colorize.jobs import LONGEST_NAME, fitting, list_jobs

SCRIPT = "results/colorize/command.py"


def made(folder, *names):
    for name in names:
        photograph_file(folder / "a.png", len(name))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "a.png").rename(folder / name)
    return folder


def written(names, out=None):
    jobs, _ = list_jobs([str(name) for name in names], out, ["colorized"])
    return {Path(job.source).name: job.outputs["colorized"].name for job in jobs}


def test_names_that_differ_in_their_suffix_only_keep_it(tmp_path):
    folder = made(tmp_path / "same", "IMG_1.JPG", "IMG_1.png", "IMG_2.JPG", "IMG_1.mov")
    expected = {
        "IMG_1.JPG": "IMG_1.JPG-colorized.png",
        "IMG_1.png": "IMG_1.png-colorized.png",
        "IMG_2.JPG": "IMG_2-colorized.png",
        "IMG_1.mov": "IMG_1-colorized.mp4",
    }
    assert written([folder]) == written([folder], tmp_path / "out") == written(folder.iterdir()) == expected


def test_what_was_written_with_its_suffix_is_not_coloured_the_second_time(tmp_path):
    made(tmp_path, "a.JPG", "a.png")
    for _ in range(2):
        names = sorted(path.name for path in tmp_path.iterdir())
        process = run_script(SCRIPT, *names, "--force", "--model", "32", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["a.JPG", "a.JPG-colorized.png", "a.png", "a.png-colorized.png"]


def test_photographs_of_one_name_in_two_folders_are_not_written_as_one(tmp_path):
    folders = [made(tmp_path / name, "a.png") for name in ("one", "two")]
    with pytest.raises(UserError, match="colour them apart"):
        written(folders, tmp_path / "out")
    assert len(list_jobs(list(map(str, folders)), None, ["colorized"])[0]) == 2


def test_a_long_name_is_cut_and_stays_apart_from_others(tmp_path):
    long = ["n" * 245 + ".jpg", "n" * 246 + ".jpg", "é" * 120 + "x.png"]
    folder = made(tmp_path, *long, "short.jpg")
    names = written([folder])
    assert names["short.jpg"] == "short-colorized.png"
    assert len(set(names.values())) == 4
    assert all(len(os.fsencode(name)) <= LONGEST_NAME and name.endswith("-colorized.png") for name in names.values())
    process = run_script(SCRIPT, ".", "--model", "32", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert set(names.values()) < {path.name for path in tmp_path.iterdir()}
    again = run_script(SCRIPT, ".", "--model", "32", cwd=tmp_path)
    assert "--force" in again.stderr
    assert fitting("n" * 241, "-colorized.png") == "n" * 241 + "-colorized.png"


def test_what_a_folder_holds_besides_is_counted_and_named(tmp_path, monkeypatch):
    folder = made(tmp_path / "mix", "a.jpg", "b.jfif", "c.cr2", "d.CR2", "notes.txt", ".hidden.jpg", "a-colorized.png")
    made(folder, ".Trash/gone.jpg")
    (folder / "closed").mkdir()
    (folder / "again").symlink_to(folder)
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    jobs, (line,) = list_jobs([str(folder)], None, ["colorized"])
    assert sorted(job.source.name for job in jobs) == ["a.jpg", "b.jfif"]
    unseen = f"{folder}/again, a link to a folder, {folder}/closed, which may not be entered"
    assert line == f"{folder}: passed over: 2 .cr2, 1 .txt, {unseen}"
    with pytest.raises(UserError, match="no photograph or film that we read; passed over: 1 .txt"):
        made(tmp_path / "texts", "notes.txt")
        written([tmp_path / "texts"])


def test_links_in_a_circle_are_the_trouble_of_those_links_only(tmp_path):
    made(tmp_path, "good.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    process = run_script(SCRIPT, ".", "--model", "32", cwd=tmp_path)
    assert process.returncode == 1
    assert "loop.png skipped: Too many levels of symbolic links" in process.stderr
    assert (tmp_path / "good-colorized.png").exists()


def test_one_refused_file_is_one_line(tmp_path, capfd):
    data = bytearray(encoded(COLOURS, "TIFF", compression="tiff_adobe_deflate"))
    data[8:10] = b"\0\0"  # of which libtiff has words of its own
    (tmp_path / "torn.tif").write_bytes(data)
    process = run_script(SCRIPT, "torn.tif", "--model", "32", cwd=tmp_path)
    assert process.returncode == 1
    said = "colorize: torn.tif skipped: not a whole image (decoder error -2)\n"
    assert (process.stderr, capfd.readouterr().err) == (said, "")


def test_a_result_that_cannot_be_written_is_the_trouble_of_that_photograph(tmp_path):
    made(tmp_path, "b.png", "c.png")
    (tmp_path / "b-colorized.png").mkdir()
    process = run_script(SCRIPT, "b.png", "c.png", "--force", "--model", "32", cwd=tmp_path)
    assert process.returncode == 1
    assert "colorize: b.png skipped: cannot write b-colorized.png: Is a directory" in process.stderr
    assert (tmp_path / "c-colorized.png").is_file()
    assert run_script(SCRIPT, "b.png", "--force", "--model", "32", cwd=tmp_path).returncode == 2


def test_a_pipe_is_not_waited_for_whatever_it_is_called(tmp_path):
    names = ("a.gif", "b.mp4", "c.png")
    for name in names:
        os.mkfifo(tmp_path / name)
    jobs, _ = list_jobs([str(tmp_path)], None, ["colorized"])
    assert [job.source.name for job in jobs] == list(names)
    with pytest.raises(UnreadableFile, match="a pipe"):
        check_file(tmp_path / "b.mp4")


def test_standard_input_that_is_closed_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input, which is closed"):
        list_jobs(["-"], None, ["colorized"])
