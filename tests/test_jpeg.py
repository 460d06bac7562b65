"""What a network is shown as JPEG and clean, and its errors: the study of results/studies/jpeg.py."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import photograph_file

from preprocessing.files import UserError
from preprocessing.gray_file import lightness_of_gray_files
from preprocessing.lab import cie_ab
from preprocessing.sources import open_source
from results.studies import jpeg


@pytest.fixture
def pictures():
    """Red and blue stripes of one pixel, and coloured noise."""
    stripes = np.tile(np.uint8([[40, 60, 200], [200, 60, 40]]), (64, 32, 1))
    return np.array([stripes, np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)])


def blockiness(picture):
    """How much larger steps across the borders of blocks of 8 are than steps within them."""
    steps = np.abs(np.diff(jpeg.in_lab(picture[None]).L[0, ..., 0].astype(int), axis=1)).mean(axis=0)
    return steps[7::8].mean() / np.delete(steps, np.s_[7::8]).mean()


def test_jpeg_leaves_blocks_and_subsampling_takes_chroma(pictures):
    smooth = cv2.GaussianBlur(pictures[1], (0, 0), 3)
    assert blockiness(jpeg.through_colour_jpeg(smooth[None], subsampled=False)[0]) > 1.1 * blockiness(smooth)
    chroma = [jpeg.in_lab(each[:1]).ab.var(axis=(0, 1, 2)).mean() for each in jpeg.ways(pictures, False).values()]
    clean, whole, subsampled = chroma
    assert subsampled < 0.2 * whole
    assert whole == pytest.approx(clean, rel=0.5)


def test_enlarged_and_back_keeps_the_size_and_blurs(pictures):
    back = jpeg.ways(pictures, at_their_size=True)["enlarged 1.37 times and back"]
    assert back.shape == pictures.shape
    assert back.astype(float).var() < pictures.astype(float).var()


def test_a_network_is_measured_on_the_l_of_lab_of_gray_files_and_of_gray_jpegs(pictures):
    test = jpeg.in_lab(pictures)
    given = [test.L, *(lightness_of_gray_files(test.L, test.ab, quality) for quality in (None, 75))]
    assert len({L.tobytes() for L in given}) == 3

    def predict(L):
        """The truth, but for an error that tells what was shown."""
        return cie_ab(test.ab) + next(error for error, each in enumerate(given, 1) if (each == L).all())

    mean_colour = pytest.approx(cie_ab(test.ab).var(axis=(0, 1, 2)).mean(), rel=1e-3)
    assert jpeg.errors_of(predict, pictures) == {"mean_colour": mean_colour, "lab": 1, "gray_file": 4, "gray_jpeg": 9}


def test_a_source_tells_by_its_sizes_whether_its_files_are_small_jpegs(tmp_path):
    for name, side in (("small", 64), ("large", 100), ("tiny", 32)):
        for index in range(20):
            photograph_file(tmp_path / name / f"{index}.png", index, side, side)
    (small, at_their_size), (large, scaled) = (
        jpeg.small_pictures(open_source([tmp_path / name])) for name in ("small", "large")
    )
    assert small.shape[1:] == large.shape[1:] == (64, 64, 3)
    assert at_their_size
    assert not scaled
    with pytest.raises(UserError, match="nothing is scaled up"):
        jpeg.small_pictures(open_source([tmp_path / "tiny"]))


def test_the_figure_shows_each_network_beside_the_truth(tmp_path):
    def predict_ab(L):
        return np.zeros((*L.shape[:3], 2), np.float32)

    jpeg.draw([SimpleNamespace(name="l2_64", predict_ab=predict_ab)], tmp_path / "jpeg.png")
    assert cv2.imread(str(tmp_path / "jpeg.png")).std() > 10
