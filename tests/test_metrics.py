import numpy as np
import pytest

from results.scoring.metrics import (
    auc_of_pixels,
    bootstrap_interval,
    colorfulness,
    inverse_prior,
    psnr,
    squared_error,
    ssim,
)


def test_squared_error_by_hand():
    truth = np.zeros((2, 1, 2, 2), np.float32)
    prediction = np.float32([[[[3, 4], [0, 0]]], [[[1, 1], [1, 1]]]])
    assert squared_error(truth, prediction).tolist() == [25 / 4, 1]


@pytest.mark.parametrize(
    ("distance", "share"), [(0, 1), (0.5, 150 / 151), (1, 150 / 151), (150, 1 / 151), (150.5, 0), (400, 0)]
)
def test_auc_of_one_pixel_by_hand(distance, share):
    """A distance of 1 is within 150 of the 151 thresholds 0..150."""
    truth = np.zeros((1, 1, 1, 2), np.float32)
    assert auc_of_pixels(truth, np.float32([[[[distance, 0]]]])).item() == pytest.approx(share)


def test_auc_is_the_mean_of_the_curve_over_its_thresholds():
    random = np.random.default_rng(0)
    truth, prediction = (random.uniform(-60, 60, (3, 8, 8, 2)).astype(np.float32) for _ in range(2))
    distance = np.sqrt(((truth - prediction) ** 2).sum(axis=-1))
    curve = [(distance <= t).mean() for t in range(151)]
    assert auc_of_pixels(truth, prediction).mean() == pytest.approx(np.mean(curve))


def test_inverse_prior_makes_every_bin_weigh_the_same():
    counts = np.array([70, 20, 10])
    assert (inverse_prior(counts) * counts).tolist() == pytest.approx([100, 100, 100])
    assert np.isfinite(inverse_prior([5, 0])).all()


def test_colorfulness_of_gray_is_zero_and_of_two_colours_is_by_hand():
    assert colorfulness(np.full((1, 4, 4, 3), 90, np.uint8)).tolist() == [0]
    image = np.zeros((1, 1, 2, 3), np.uint8)
    image[0, 0, 0] = [0, 0, 200]  # BGR: red 200, so rg = 200 and yb = 100; the other pixel is black
    spread, mean = np.hypot(100, 50), np.hypot(100, 50)
    assert colorfulness(image)[0] == pytest.approx(spread + 0.3 * mean)


def test_psnr_and_ssim():
    assert psnr(0) == float("inf")
    assert psnr(255**2) == pytest.approx(0)
    assert psnr(100) == pytest.approx(28.1308, abs=1e-4)
    image = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    assert ssim(image, image).tolist() == [1, 1]
    assert (ssim(image, image[:, ::-1]) < 0.5).all()


def test_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(60):
        low, high = bootstrap_interval(random.normal(5, 2, 100), range(100), seed=trial)
        covered += low < 5 < high
    assert 50 <= covered <= 60


def test_crops_of_one_photograph_are_resampled_together():
    random = np.random.default_rng(0)
    scores = np.repeat(random.normal(0, 1, 20), 50)
    together = bootstrap_interval(scores, np.repeat(np.arange(20), 50))
    apart = bootstrap_interval(scores, range(1000))
    assert together[1] - together[0] > 4 * (apart[1] - apart[0])
