"""Films: every frame is coloured, colours do not flicker, the sound stays, and a film cut short is said so."""

import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from conftest import photograph_file, run_script
from skimage import data

from preprocessing.photograph import UnreadableFile
from results.colorize import film
from results.colorize.film import colour_film, read_frames, steady
from results.prediction.predict import load_colorizer
from results.studies.flicker import measure

SCRIPT = "results/colorize/command.py"
FRAMES, HEIGHT, WIDTH = 20, 72, 96
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def panned(frames=FRAMES):
    """A camera that moves over a photograph, with a sensor's noise: (H, W, 3) uint8 BGR each."""
    random = np.random.default_rng(0)
    image = cv2.resize(data.chelsea()[..., ::-1], (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA)
    for x in range(frames):
        part = image[HEIGHT // 2 : HEIGHT // 2 + HEIGHT, x : x + WIDTH].astype(np.float32)
        yield np.clip(part + random.normal(0, 4, part.shape), 0, 255).astype(np.uint8)


def write(path, frames, code="mp4v"):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25, (WIDTH, HEIGHT))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def colorizer():
    return load_colorizer("l2_32")


def test_a_picture_too_wide_for_mpeg_4_is_said_at_its_first_frame(tmp_path, colorizer):
    source = write(tmp_path / "cat.avi", panned(3), "MJPG")
    seen = []

    def first_ones(frames, total):
        for pair in frames:
            seen.append(pair)
            yield pair[0].repeat(90, axis=1), pair[1].repeat(90, axis=1)

    with pytest.raises(UnreadableFile, match="8640 x 72 pixels at 25 frames a second"):
        colour_film(source, {"colorized": tmp_path / "out.mp4"}, colorizer, progress=first_ones)
    assert len(seen) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cat.avi"]


@needs_ffmpeg
def test_uneven_frames_are_said(tmp_path, colorizer):
    write(tmp_path / "cat.mp4", panned(FRAMES))
    slower = "setpts='if(lt(N,10),N,10+(N-10)*6)/25/TB'"
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "cat.mp4", "-vf", slower, "-fps_mode", "vfr"]
    subprocess.run([*command, tmp_path / "uneven.mp4"], check=True)
    outputs = {"colorized": tmp_path / "out.mp4"}
    assert colour_film(tmp_path / "cat.mp4", outputs, colorizer) == ""
    assert "uneven rate" in colour_film(tmp_path / "uneven.mp4", outputs, colorizer)


def test_a_film_comes_out_whole_and_in_colour(tmp_path, colorizer, monkeypatch):
    monkeypatch.setattr(film, "BATCH", 6)  # so that batches end within the film
    source = write(tmp_path / "cat.avi", panned(), "MJPG")
    outputs = {"colorized": tmp_path / "out.mp4", "compare": tmp_path / "compare.mp4"}
    colour_film(source, outputs, colorizer)
    truth, frames, compared = (
        list(read_frames(cv2.VideoCapture(str(p)))) for p in (source, outputs["colorized"], outputs["compare"])
    )
    assert len(frames) == len(compared) == FRAMES
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert compared[0].shape == (HEIGHT, 3 * WIDTH, 3)
    for frame, image_bgr in zip(truth, frames, strict=True):
        assert np.ptp(image_bgr.astype(int), axis=-1).mean() > 4
        gray = [cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)[..., 0].astype(int) for picture in (frame, image_bgr)]
        assert np.abs(gray[0] - gray[1]).mean() < 8  # two lossy codecs between them
    assert not list(tmp_path.glob(".colorize-*"))


def test_steadied_colours_flicker_less_and_cost_no_error(colorizer):
    numbers = measure(list(panned()), colorizer)
    assert numbers["steadied_change"] < 0.8 * numbers["unsteadied_change"]
    assert numbers["steadied_mse"] < 1.02 * numbers["unsteadied_mse"]
    still = [next(panned())] * 3
    assert measure(still, colorizer)["own_change"] == 0


def test_films_are_measured_from_the_command_line(tmp_path):
    write(tmp_path / "cat.mp4", panned(4))
    assert run_script("results/studies/flicker.py", "cat.mp4", cwd=tmp_path).returncode == 0
    (film,) = json.loads((tmp_path / "results/flicker.json").read_text())["films"]
    assert (film["film"], film["frames"]) == ("cat.mp4", 4)
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


@needs_ffmpeg
def test_the_sound_is_kept(tmp_path, colorizer):
    silent = write(tmp_path / "silent.mp4", panned())
    loud = tmp_path / "loud.mkv"
    make = ["ffmpeg", "-v", "error", "-i", silent, "-f", "lavfi", "-i", "sine=duration=0.8", "-c:v", "copy"]
    subprocess.run([*make, "-c:a", "libvorbis", loud], check=True)
    assert colour_film(loud, {"colorized": tmp_path / "out.mp4"}, colorizer) == ""
    probe = subprocess.run(["ffmpeg", "-i", tmp_path / "out.mp4"], capture_output=True, text=True).stderr
    assert "Audio:" in probe


def test_without_ffmpeg_it_says_so(tmp_path, colorizer, monkeypatch):
    monkeypatch.setattr(film.shutil, "which", lambda _: None)
    remark = colour_film(write(tmp_path / "a.mp4", panned(4)), {"colorized": tmp_path / "out.mp4"}, colorizer)
    assert "install ffmpeg" in remark
    assert (tmp_path / "out.mp4").exists()


def test_a_film_cut_short_is_coloured_as_far_as_it_goes(tmp_path, colorizer):
    whole = write(tmp_path / "whole.avi", panned(), "MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=f"of {FRAMES} frames"):
        colour_film(tmp_path / "cut.avi", {"colorized": tmp_path / "out.mp4"}, colorizer)
    assert 4 < len(list(read_frames(cv2.VideoCapture(str(tmp_path / "out.mp4"))))) < FRAMES


def test_from_the_command_line(tmp_path):
    """A film, one that is none, and a photograph: the good ones are written, the bad one is named."""
    write(tmp_path / "cat.mp4", panned(6))
    (tmp_path / "text.mp4").write_text("hello")
    photograph_file(tmp_path / "cat.png", 1)
    process = run_script(SCRIPT, ".", "--out", "out", "--model", "32", cwd=tmp_path)
    assert process.returncode == 1
    assert "text.mp4: no film that OpenCV can read" in process.stderr
    assert "Traceback" not in process.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cat-colorized.mp4", "cat-colorized.png"]
    refused = run_script(SCRIPT, "cat.mp4", "--samples", "2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "colour films apart" in refused.stderr.splitlines()[-1]
