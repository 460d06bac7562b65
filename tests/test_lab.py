import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from preprocessing.lab import CIE, CODE, UNIT_RANGE, bgr_to_lab, cie_ab, lab_to_bgr


def colours():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_codes_are_scikit_images_lab_in_the_units_of_the_contract():
    image_bgr = colours()
    L, ab = bgr_to_lab(image_bgr)
    lab = rgb2lab(image_bgr[..., ::-1])
    assert np.abs(L[..., 0].astype(float) * 100 / 255 - lab[..., 0]).max() < 0.6
    difference = np.abs(cie_ab(ab) - lab[..., 1:])
    assert difference.mean() < 0.5
    assert difference.max() < 2.5  # OpenCV's 8-bit path is in fixed point


def test_lab_to_bgr_is_scikit_images():
    L, ab = bgr_to_lab(colours())
    expected = lab2rgb(np.concatenate([L.astype(float) * 100 / 255, cie_ab(ab)], axis=-1))[..., ::-1] * 255
    assert np.abs(lab_to_bgr(L, cie_ab(ab)).astype(float) - expected).max() < 1.5


def test_round_trip_of_a_batch_keeps_colours():
    images = np.stack([colours(), colours()[::-1]])
    pairs = [bgr_to_lab(image) for image in images]
    back = lab_to_bgr(np.stack([L for L, _ in pairs]), cie_ab(np.stack([ab for _, ab in pairs])))
    assert back.shape == images.shape
    assert np.abs(back.astype(int) - images).mean() < 2


def test_red_is_red_and_blue_is_blue():
    red, blue = np.array([[[0, 0, 255]]], np.uint8), np.array([[[255, 0, 0]]], np.uint8)
    assert cie_ab(bgr_to_lab(red)[1]).ravel()[0] > 70
    assert cie_ab(bgr_to_lab(blue)[1]).ravel()[1] < -100


@pytest.mark.parametrize(("units", "L", "ab"), [(UNIT_RANGE, (-1, 1), 0.5), (CIE, (0, 100), 64), (CODE, (0, 255), 192)])
def test_units_of_the_networks(units, L, ab):
    assert units.lightness_from_code(np.float32([0, 255])).tolist() == pytest.approx(L)
    assert units.ab_from_code(np.float32(192)) == pytest.approx(ab)
    assert units.cie_ab(units.ab_from_code(np.float32(192))) == pytest.approx(64)
