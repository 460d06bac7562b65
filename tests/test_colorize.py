"""Your own photographs: every kind of file, where the results go, and what a full-size picture keeps."""

import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import photograph_file, run_script
from PIL import Image

from preprocessing.front_door import run
from preprocessing.lab import bgr_to_lab, lab_to_bgr
from results.colorize import colorize, full_size
from results.colorize.command import colour_photographs
from results.colorize.full_size import at_full_size, coefficients_for, guided_coefficients, join, network_size
from results.colorize.jobs import Job, _is_ours
from results.prediction.vibrance import with_vibrance
from results.prediction.weights import SHIPPED

SCRIPT = "results/colorize/command.py"
RANDOM = np.random.default_rng(0)


def saved(path, image, **options):
    Image.fromarray(image).save(path, **options) if isinstance(image, np.ndarray) else image.save(path, **options)
    return path.read_bytes()


@pytest.fixture(scope="module")
def picture():
    """A smooth gray picture, (60, 90) uint8."""
    return cv2.resize(RANDOM.integers(0, 256, (6, 9), np.uint8), (90, 60), interpolation=cv2.INTER_CUBIC)


def test_the_picture_keeps_its_lightness_and_gets_colours_of_its_own(picture):
    image = colorize(picture)
    assert image.shape == (60, 90, 3)
    assert np.abs(bgr_to_lab(image)[0].astype(int)[..., 0] - read_gray(picture)).mean() < 1.5
    assert colour_of(image) > 2
    red = np.zeros((60, 90, 3), np.uint8)
    red[..., 2] = picture
    same_lightness = colorize(cv2.cvtColor(gray_like(red), cv2.COLOR_GRAY2BGR))
    assert np.abs(colorize(red).astype(int) - same_lightness).mean() < 0.5


def read_gray(picture):
    return bgr_to_lab(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))[0].astype(int)[..., 0]


def gray_like(image_bgr):
    """The gray picture of the same L."""
    levels = bgr_to_lab(np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, axis=-1))[0][0, :, 0].astype(int)
    return np.abs(bgr_to_lab(image_bgr)[0].astype(int) - levels).argmin(axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2), (7, 5), (257, 400)])
def test_any_size_comes_out_at_its_size(size):
    assert colorize(RANDOM.integers(0, 256, size, np.uint8)).shape == (*size, 3)


def test_a_picture_of_one_colour_stays_one():
    image = colorize(np.full((80, 120), 130, np.uint8))
    assert np.abs(image.astype(int) - image[40, 60]).mean() < 12


def test_networks_see_the_photographs_shape_unless_it_is_very_long():
    assert network_size(300, 400, 128) == (128, 172)
    assert network_size(1, 5000, 128) == (128, 512)
    assert network_size(2000, 20, 64) == (256, 64)


def test_the_guided_filter_follows_its_guide():
    """Where ab is a line of lightness it is found; where the guide is flat ab is its own mean (He et al. 2013)."""
    lightness = RANDOM.random((64, 64), np.float32)
    ab = np.stack([40 * lightness - 10, 5 - 20 * lightness], axis=-1)
    slope_a, slope_b, offset_a, offset_b = guided_coefficients(lightness, ab)
    assert np.abs(slope_a * lightness + offset_a - ab[..., 0]).mean() < 1
    assert np.abs(slope_b * lightness + offset_b - ab[..., 1]).mean() < 1
    flat = guided_coefficients(np.full((64, 64), 0.5, np.float32), ab)
    assert np.abs(flat[:2]).max() < 0.01
    assert np.abs(flat[2, 32, 32] - ab[24:40, 24:40, 0].mean()) < 3


def test_strips_are_the_picture_enlarged_at_once(monkeypatch):
    small = RANDOM.standard_normal((20, 30)).astype(np.float32)
    whole = cv2.resize(small, (300, 200), interpolation=cv2.INTER_LINEAR)
    strips = np.concatenate([at_full_size(small, 200, 300, top, 40) for top in range(0, 200, 40)])
    np.testing.assert_allclose(strips, whole, atol=1e-5)
    L, ab = RANDOM.integers(0, 256, (90, 60, 1), np.uint8), 20 * RANDOM.standard_normal((20, 30, 2)).astype(np.float32)
    at_once = join(L, ab)
    monkeypatch.setattr(full_size, "STRIP", 7)
    assert np.abs(join(L, ab).astype(int) - at_once).max() <= 1


@pytest.mark.parametrize("vibrance", [0.3, 1.0, 3.0])
def test_a_full_size_picture_is_the_guided_filter_then_vibrance_within_one_level(picture, vibrance):
    """The equations in their order and over the whole picture, next to strips that look the gamut up where RGB ends."""
    L = cv2.resize(picture, (700, 900), interpolation=cv2.INTER_CUBIC)[..., None]
    ab = 30 * RANDOM.standard_normal((32, 24, 2)).astype(np.float32)
    coefficients = np.stack([cv2.resize(each, (700, 900)) for each in coefficients_for(L, ab)])
    guided = np.moveaxis(coefficients[:2] * (L[..., 0] / np.float32(255)) + coefficients[2:], 0, -1)
    expected = lab_to_bgr(L, with_vibrance(L, guided, vibrance)).astype(int)
    difference = np.abs(join(L, ab, vibrance) - expected).max(axis=-1)
    assert (difference > 1).mean() < 1e-4  # a hue on the edge of two half degrees may fall to either side


def test_files_folders_patterns_and_what_is_written(tmp_path):
    for name in ("a.png", "album/b.png", "album/deep/c.png"):
        photograph_file(tmp_path / name, len(name))
    process = run_script(SCRIPT, "a.png", "album", "--out", "out", "--compare", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    stems = ["a", "b", "deep/c"]
    assert written == sorted(f"{stem}-{what}.png" for stem in stems for what in ("colorized", "compare"))
    original = cv2.imread(str(tmp_path / "a.png"))
    height, width = original.shape[:2]
    compared = cv2.imread(str(tmp_path / "out/a-compare.png"))
    assert compared.shape == (height, 3 * width, 3)
    assert (compared[:, width : 2 * width] == original).all()
    assert (compared[:, 2 * width :] == cv2.imread(str(tmp_path / "out/a-colorized.png"))).all()

    before = (tmp_path / "out/a-colorized.png").stat().st_mtime_ns
    again = run_script(SCRIPT, "*.png", "--out", "out", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr.splitlines()[-1]
    assert (tmp_path / "out/a-colorized.png").stat().st_mtime_ns == before
    assert run_script(SCRIPT, "*.png", "--out", "out", "--force", cwd=tmp_path).returncode == 0


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(tmp_path):
    for seed, name in enumerate(("a.png", "b.png")):
        photograph_file(tmp_path / name, seed)
    (tmp_path / "a-colorized.png").write_bytes(b"mine")
    assert not _is_ours(Path("my-sample-photo.png"))
    assert _is_ours(Path("a-sample2.png"))
    process = run_script(SCRIPT, "*.png", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "1 of 2 are there already" in process.stderr
    assert (tmp_path / "a-colorized.png").read_bytes() == b"mine"
    assert (tmp_path / "b-colorized.png").exists()
    assert len(list(tmp_path.iterdir())) == 4  # what it wrote is not coloured again


def test_one_large_picture_at_a_time(tmp_path, picture, monkeypatch):
    at_work, most = set(), []

    def slow(data, job, *_):
        at_work.add(job.source)
        most.append(len(at_work))
        time.sleep(0.2)
        at_work.remove(job.source)

    monkeypatch.setattr("results.colorize.command._colour_and_write", slow)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        saved(file, picture)
    together = {}
    for limit in (picture.size, 1):
        monkeypatch.setattr("results.colorize.command.LARGE_PIXELS", limit)
        most.clear()
        assert colour_photographs([Job(file, {}) for file in files], None, None) == 0
        together[limit] = max(most)
    assert together[1] == 1
    assert together[picture.size] > 1


def test_a_bad_file_is_named_and_skipped_and_the_exit_code_says_so(tmp_path):
    photograph_file(tmp_path / "good.png", 1)
    (tmp_path / "text.jpg").write_text("hello")
    process = run_script(SCRIPT, "text.jpg", "good.png", cwd=tmp_path)
    assert process.returncode == 1
    assert "text.jpg skipped: no image that Pillow reads" in process.stderr
    assert "Traceback" not in process.stderr
    assert (tmp_path / "good-colorized.png").exists()
    assert not (tmp_path / "text-colorized.png").exists()


def test_what_another_photograph_is_written_as_is_not_coloured(tmp_path):
    photograph_file(tmp_path / "a.png", 1)
    for _ in range(2):
        names = [str(path) for path in sorted(tmp_path.glob("*.png"))]
        process = run_script(SCRIPT, *names, "--force", "--model", SHIPPED / "l2_32.h5", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a-colorized.png", "a.png"]


def test_vibrance_0_is_gray():
    image_bgr = colorize(np.full((16, 16, 3), (30, 90, 200), np.uint8), "l2_32", vibrance=0)
    assert np.ptp(image_bgr.astype(int), axis=-1).max() <= 2


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path):
    photograph_file(tmp_path / "a.png", 1)
    program = f"{sys.executable} -m results.colorize - < a.png | true"
    process = subprocess.run(["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in process.stderr
    assert "BrokenPipe" not in process.stderr


def test_standard_input_to_standard_output(tmp_path):
    photograph_file(tmp_path / "a.png", 1)
    with open(tmp_path / "a.png", "rb") as file:
        process = subprocess.run(
            [sys.executable, "-m", "results.colorize", "-"], stdin=file, capture_output=True, cwd=tmp_path
        )
    assert process.returncode == 0, process.stderr
    image = cv2.imdecode(np.frombuffer(process.stdout, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == cv2.imread(str(tmp_path / "a.png")).shape
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_help_needs_no_tensorflow(tmp_path):
    program = "import sys; sys.argv = ['colorize', '--help']; from results.colorize import main\ntry: main()\n"
    program += "except SystemExit: print('cv2' in sys.modules, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "False False False"


WITHOUT_TENSORFLOW = """
import sys
sys.modules |= dict.fromkeys(["tensorflow", "keras"])  # whose import then fails
sys.argv = ["colorize", "a.png", *sys.argv[1:]]
from results.colorize import main
main()
print(*sorted({"scipy", "matplotlib", "skimage", "optuna", "gradio"} & set(sys.modules)))
"""


def test_a_photograph_is_coloured_without_tensorflow_and_nothing_else_is_loaded_or_left(tmp_path):
    photograph_file(tmp_path / "a.png", 1)
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):  # with which ONNX Runtime reports nothing of itself
        environment.pop(name, None)
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == process.stderr == ""
    assert colour_of(cv2.imread(str(tmp_path / "a-colorized.png"))) > 2
    assert not list(home.iterdir())


def colour_of(image_bgr):
    return np.ptp(image_bgr.astype(int), axis=-1).mean()


def test_what_needs_tensorflow_says_so_where_it_is_missing(monkeypatch, capsys):
    def train():
        import tensorflow  # noqa: F401

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(SystemExit) as stopped:
        run(train)
    assert stopped.value.code == 2
    assert "this needs tensorflow, which is not installed: pip install -e '.[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name photographs"),
        (["missing.jpg"], "missing.jpg"),
        (["empty"], "holds no photograph or film"),
        (["a.png", "--samples", "2"], "--objective rebalanced"),
        (["a.png", "sub/a.png", "--out", "o"], "colour them apart"),
        (["a.png", "--vibrance", "0"], "--vibrance"),
        ([""], "a name is empty"),
        (["a.png", "--out", "a.jpg"], "a.jpg is no folder"),
        (["a.png", "--out", "a.jpg/below"], "a.jpg is no folder"),
        (["-", "--compare"], "one picture to standard output"),
        (["a.png", "--model", "256"], "--model 256"),
        (["a.png", "--model", "a.png"], "damaged or no weights file"),
        (["a.png", "--model", "a.png", "--objective", "l2"], "--objective is that of"),
    ],
)
def test_errors_of_a_user_are_one_line_and_exit_code_2(tmp_path, arguments, said):
    photograph_file(tmp_path / "a.png", 1)
    for name in ("a.jpg", "sub/a.png"):
        photograph_file(tmp_path / name, 1)
    (tmp_path / "empty").mkdir()
    process = run_script(SCRIPT, *arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert said in process.stderr.splitlines()[-1]
