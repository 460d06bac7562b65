"""Scores of predicted colour, each for one photograph at a time, in CIE ab units; and their intervals."""

import numpy as np
from skimage.metrics import structural_similarity

AUC_LAST = 150  # CIE ab units, Zhang et al. 2016, section 3
RESAMPLES, RESAMPLED_AT_ONCE = 2000, 100


def squared_error(ab_true, ab_pred):
    """Mean over pixels and both channels: (N, S, S, 2) twice -> (N,)."""
    return np.square(ab_pred - ab_true).mean(axis=(1, 2, 3), dtype=np.float64)


def auc_of_pixels(ab_true, ab_pred):
    """Share of the thresholds 0, 1, ..., 150 that each pixel's distance to the truth does not exceed: (N, S, S).

    Its mean over pixels is the area under the curve of Zhang et al. 2016 (section 3): the order of the two means does
    not matter, and here the one over thresholds comes first.
    """
    distance = np.sqrt(np.square(ab_pred - ab_true).sum(axis=-1))
    return np.clip(AUC_LAST + 1 - np.ceil(distance), 0, None) / (AUC_LAST + 1)


def inverse_prior(bin_counts):
    """Weight of each ab bin, 1 / its share of the training pixels; a bin never seen weighs as one seen once."""
    counts = np.maximum(np.asarray(bin_counts, np.float64), 1)
    return counts.sum() / counts


def colorfulness(image_bgr):
    """Hasler and Suesstrunk 2003, M3: (N, S, S, 3) uint8 -> (N,)."""
    blue, green, red = np.moveaxis(image_bgr.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    axes = (1, 2)
    spread = np.sqrt(rg.var(axis=axes) + yb.var(axis=axes))
    return spread + 0.3 * np.sqrt(rg.mean(axis=axes) ** 2 + yb.mean(axis=axes) ** 2)


def psnr(rgb_mse):
    """PSNR in dB from the mean squared error of 8-bit RGB over all pictures (a mean of PSNRs is infinite if one pair is equal)."""
    return float("inf") if rgb_mse == 0 else 10 * np.log10(255**2 / rgb_mse)


def ssim(image_true, image_pred):
    """Structural similarity of each RGB picture, 7 px window: (N, S, S, 3) uint8 twice -> (N,)."""
    return np.array(
        [
            structural_similarity(a, b, channel_axis=-1, data_range=255)
            for a, b in zip(image_true, image_pred, strict=True)
        ]
    )


def bootstrap_interval(scores, photographs, seed=0):
    """95% interval of the mean score, resampling photographs (crops of one photograph stay together).

    Pass the difference of two models' scores for a paired interval.

    Parameters
    ----------
    scores : ndarray, shape (N,)
    photographs : sequence of N hashable, the photograph of each score

    Returns
    -------
    low, high : float
    """
    _, groups = np.unique(np.asarray(photographs), return_inverse=True)
    sums, counts = np.bincount(groups, weights=scores), np.bincount(groups)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(0, RESAMPLES, RESAMPLED_AT_ONCE):
        drawn = random.integers(len(counts), size=(RESAMPLED_AT_ONCE, len(counts)))
        means.extend(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
