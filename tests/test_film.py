"""Films: every frame is coloured, colours do not flicker, and nothing half-written stays."""

import json
import os
import resource
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import photograph_file, run_process, run_script, start_script
from films import FRAMES, HEIGHT, RATE, WIDTH, Stub, av, painted, panned, read, tone, write
from PIL import Image

from preprocessing.files import DiskFull, UserError
from preprocessing.lab import bgr_to_lab, cie_ab
from preprocessing.photograph import UnreadableFile
from results.colorize import film
from results.colorize.film import colour_film, steady
from results.colorize.jobs import list_jobs
from results.prediction.predict import load_colorizer
from results.studies.flicker import measure

SCRIPT = "results/colorize/command.py"


@pytest.fixture(scope="module")
def colorizer():
    return load_colorizer("l2_32")


def test_a_film_comes_out_whole_and_in_colour(tmp_path, monkeypatch):
    monkeypatch.setattr(film, "BATCH", 6)  # so that batches end within the film
    source = write(tmp_path / "cat.avi", panned(), "mjpeg", "yuvj420p")
    out, remark = painted(source, tmp_path, compare="compare.mp4")
    (truth, times), (frames, now), (compared, _) = read(source), read(out), read(tmp_path / "compare.mp4")
    assert remark == ""
    assert len(frames) == len(compared) == FRAMES
    assert now == pytest.approx(times)
    assert compared[0].shape == (HEIGHT, 3 * WIDTH, 3)
    for frame, image_bgr in zip(truth, frames, strict=True):
        before, after = bgr_to_lab(frame), bgr_to_lab(image_bgr)
        assert np.abs(before[0].astype(int) - after[0]).mean() < 5
        assert cie_ab(after[1]).mean(axis=(0, 1)) == pytest.approx([20, 30], abs=6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.avi", "compare.mp4", "out.mp4"]


@pytest.mark.parametrize("suffix", ["mpg", "wmv", "flv", "m2t", "3gp"])
def test_old_films_are_found_in_a_folder_and_coloured(tmp_path, suffix):
    codec = {"mpg": "mpeg1video", "wmv": "wmv2", "flv": "flv", "m2t": "mpeg2video", "3gp": "mpeg4"}[suffix]
    write(tmp_path / f"old.{suffix}", panned(6), codec)
    (job,), _ = list_jobs([str(tmp_path)], None, ["colorized"])
    assert colour_film(job.source, job.outputs, Stub()) == ""
    assert len(read(tmp_path / "old-colorized.mp4")[0]) == 6


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_is_a_film_and_a_still_is_not(tmp_path, suffix):
    pages = [Image.fromarray(np.full((40, 60, 3), 50 * number, np.uint8)) for number in range(4)]
    pages[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pages[1:], duration=[100, 200, 50, 300])
    pages[0].save(tmp_path / f"still.{suffix}")
    (moving, still), _ = list_jobs([str(tmp_path)], None, ["colorized"])
    assert (moving.is_film, still.is_film) == (True, False)
    assert colour_film(moving.source, moving.outputs, Stub()) == ""
    frames, times = read(tmp_path / "a-colorized.mp4")
    assert times == pytest.approx([0, 0.1, 0.3, 0.35])
    with av.open(str(tmp_path / "a-colorized.mp4")) as container:
        assert container.duration == 650_000  # microseconds
    assert np.diff([frame.mean() for frame in frames]).min() > 30


def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    write(tmp_path / "plain.mp4", panned(2)).rename(tmp_path / "film: part 1.mp4")
    monkeypatch.chdir(tmp_path)
    colour_film(Path("film: part 1.mp4"), {"colorized": Path("film: part 1-colorized.mp4")}, Stub())
    assert len(read("file:film: part 1-colorized.mp4")[0]) == 2


def test_a_film_that_cannot_be_read_leaves_no_folder(tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(UnreadableFile, match="no film that FFmpeg can read"):
        colour_film(tmp_path / "text.mp4", {"colorized": tmp_path / "out" / "text-colorized.mp4"}, Stub())
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


@contextmanager
def room_of(size):
    """Files may not grow beyond `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 5_000, 12_000])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, size):
    source = write(tmp_path / "loud.mp4", panned(), sound="aac")
    with room_of(size), pytest.raises(DiskFull, match="cannot write .*colorized.mp4: .*; make room"):
        colour_film(source, {"colorized": tmp_path / "out" / "loud-colorized.mp4"}, Stub())
    assert [path.name for path in tmp_path.iterdir()] == ["loud.mp4"]


def test_a_place_where_nothing_can_be_written_is_said(tmp_path):
    source = write(tmp_path / "plain.mp4", panned(2))
    with pytest.raises(UserError, match="cannot write .*plain.mp4/out.mp4: Not a directory"):
        colour_film(source, {"colorized": source / "out.mp4"}, Stub())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_leave_nothing(tmp_path, number):
    write(tmp_path / "long.mp4", list(panned(height=24, width=32)) * 40)
    process = start_script(SCRIPT, "long.mp4", "--out", "out", "--model", "32", cwd=tmp_path)
    give_up = time.monotonic() + 60
    while not list(tmp_path.glob(".colorize-*/*.mp4")) and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert [path.name for path in tmp_path.iterdir()] == ["long.mp4"]


def test_without_pyav_it_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError('No module named av')")
    write(tmp_path / "cat.mp4", panned(2))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    process = run_process(SCRIPT, "cat.mp4", cwd=tmp_path)
    assert process.returncode == 2
    assert "films need PyAV: pip install -e '.[film]'" in process.stderr
    assert "Traceback" not in process.stderr


def test_from_the_command_line(tmp_path):
    """A film, two that are none, and a photograph: the good ones are written, the bad ones are named."""
    write(tmp_path / "cat.mp4", panned(6))
    (tmp_path / "text.mp4").write_text("hello")
    with av.open(str(tmp_path / "sound.m4v"), "w", format="mp4") as container:
        track = container.add_stream("aac", RATE, layout="mono")
        container.mux(track.encode(tone(0.1)) + track.encode(None))
    photograph_file(tmp_path / "cat.png", 1)
    process = run_script(SCRIPT, ".", "--out", "out", "--model", "32", cwd=tmp_path)
    assert process.returncode == 1
    assert "text.mp4: no film that FFmpeg can read" in process.stderr
    assert "sound.m4v: no film: it holds no moving picture" in process.stderr
    assert "Traceback" not in process.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cat-colorized.mp4", "cat-colorized.png"]
    refused = run_script(SCRIPT, "cat.mp4", "--samples", "2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "colour films apart" in refused.stderr.splitlines()[-1]


def test_steadied_colours_flicker_less_and_cost_no_error(colorizer):
    numbers = measure(list(panned()), colorizer)
    assert numbers["steadied_change"] < 0.8 * numbers["unsteadied_change"]
    assert numbers["steadied_mse"] < 1.02 * numbers["unsteadied_mse"]
    still = [next(panned())] * 3
    assert measure(still, colorizer)["own_change"] == 0


def test_films_are_measured_from_the_command_line(tmp_path):
    write(tmp_path / "cat.mp4", panned(4))
    assert run_script("results/studies/flicker.py", "cat.mp4", cwd=tmp_path).returncode == 0
    (measured,) = json.loads((tmp_path / "results/flicker.json").read_text())["films"]
    assert (measured["film"], measured["frames"]) == ("cat.mp4", 4)
    (tmp_path / "text.mp4").write_text("hello")
    refused = run_script("results/studies/flicker.py", "text.mp4", cwd=tmp_path)
    assert refused.returncode == 2
    assert "text.mp4 is no film" in refused.stderr


def test_colours_follow_the_motion_and_stop_at_a_cut():
    random = np.random.default_rng(1)
    L = cv2.resize(random.integers(0, 256, (12, 16), np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC)
    moved = np.roll(L, 3, axis=1)
    ab = np.zeros((96, 128, 2), np.float32)
    ab[:, :64] = 40
    followed = steady(L, ab, moved, np.zeros_like(ab))[8:-8, 8:-8, 0]
    assert followed[:, :50].mean() > 30  # left of the edge, which lies 3 px to the right now
    assert followed[:, 70:].mean() < 4
    other = 255 - L
    assert np.abs(steady(L, ab, other, np.zeros_like(ab))).mean() < 4
