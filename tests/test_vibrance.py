import numpy as np

from preprocessing.lab import bgr_to_lab, cie_ab, lab_to_bgr
from results.prediction.vibrance import in_gamut, most_chroma, with_vibrance

RANDOM = np.random.default_rng(0)


def colours():
    L, ab = bgr_to_lab(RANDOM.integers(0, 256, (100, 100, 3), np.uint8))
    return L, cie_ab(ab)


def test_factor_1_leaves_the_colours_of_photographs():
    L, ab = colours()
    changed = np.abs(with_vibrance(L, ab, 1.0) - ab).max(axis=-1)
    assert np.percentile(changed, 95) < 2  # 8-bit Lab rounds colours on the gamut's face a little outside


def test_hue_is_held_and_every_colour_is_in_gamut_and_clips_nothing():
    L, ab = colours()
    vivid = with_vibrance(L, ab, 3.0)
    cross = ab[..., 0] * vivid[..., 1] - ab[..., 1] * vivid[..., 0]
    assert np.abs(cross).max() < 1e-2 * np.square(128)
    back = cie_ab(bgr_to_lab(lab_to_bgr(L, vivid))[1])
    chroma = np.hypot(*np.moveaxis(vivid, -1, 0))
    turned = np.abs(back - vivid).max(axis=-1)
    assert np.percentile(turned[chroma > 5], 99) < 4  # rounding to 8 bits; a clipped channel moves colours by tens
    unheld = cie_ab(bgr_to_lab(lab_to_bgr(L, ab * 3))[1])
    assert np.percentile(np.abs(unheld - ab * 3).max(axis=-1), 99) > 40


def test_chroma_is_scaled_where_there_is_room():
    L, ab = np.full((1, 1, 1), 140, np.uint8), np.float32([[[10, 5]]])
    np.testing.assert_allclose(with_vibrance(L, ab, 1.5), ab * 1.5, rtol=1e-5)
    assert (with_vibrance(L, ab, 0.0) == 0).all()
    assert (with_vibrance(L, ab * 0, 2.0) == 0).all()


def test_the_gamut_is_that_of_rgb():
    L, ab = colours()
    assert in_gamut(L[..., 0] * (100 / 255), ab * 0.9).mean() > 0.99
    assert not in_gamut(np.array([50.0, 99.0, 5.0]), np.array([[120.0, 120.0], [40.0, 0.0], [0.0, 60.0]])).any()
    assert most_chroma()[0].max() < 3
    assert most_chroma()[255].max() < 3
    assert 100 < most_chroma().max() < 135
