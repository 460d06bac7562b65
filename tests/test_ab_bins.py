import numpy as np

from preprocessing.ab_bins import GRID, bin_centres, bin_counts, code_counts, nearest_bin
from preprocessing.lab import bgr_to_lab, cie_ab


def test_every_srgb_colour_lies_within_half_a_cell_of_a_bin():
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    ab = bgr_to_lab(image)[1]
    offset = np.abs(cie_ab(ab) - bin_centres()[nearest_bin(ab)])
    assert offset.max() <= GRID / 2 + 1  # 1 for the 8-bit code


def test_centres_are_distinct_points_of_the_grid():
    centres = bin_centres()
    assert len(np.unique(centres, axis=0)) == len(centres)
    assert (centres % GRID == 0).all()
    assert [0, 0] in centres.tolist()
    zeros = centres[centres == 0]
    assert not np.signbit(zeros).any()  # the hue of (-20, -0.0) is at the other end of the circle, for `sample`


def test_nearest_bin_is_the_nearest():
    codes = np.random.default_rng(1).integers(0, 256, (100, 2)).astype(np.uint8)
    distances = np.square(cie_ab(codes)[:, None] - bin_centres()).sum(axis=-1)
    chosen = distances[np.arange(100), nearest_bin(codes)]
    assert (chosen == distances.min(axis=1)).all()


def test_of_two_bins_as_near_it_is_always_the_first():
    """CIE ab (5, 0) lies between the bins (0, 0) and (10, 0); bins are sorted by a."""
    assert bin_centres()[nearest_bin(np.uint8([133, 128]))].tolist() == [0, 0]
    assert bin_centres()[nearest_bin(np.uint8([123, 128]))].tolist() == [-10, 0]


def test_counts_are_those_of_every_pixels_code_and_bin():
    ab = np.random.default_rng(2).integers(0, 256, (2100, 4, 4, 2)).astype(np.uint8)
    counts = code_counts(ab)
    expected = np.zeros((256, 256), int)
    np.add.at(expected, (ab[..., 0], ab[..., 1]), 1)
    assert (counts == expected).all()
    bins = np.bincount(nearest_bin(ab).ravel(), minlength=len(bin_centres()))
    assert (bin_counts(counts) == bins).all()
    assert code_counts(ab[:0]).sum() == 0
