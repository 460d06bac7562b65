"""From a distribution over ab bins to colours: the annealed mean of Zhang et al. 2016 (section 2.3), its spread, samples."""

import cv2
import numpy as np

from preprocessing.ab_bins import bin_centres, rebalancing_weights

PAPER = {"temperature": 0.38, "rebalancing_undone": 0.0, "vibrance": 1.0}  # Zhang et al. 2016, section 2.3
WINDOW = 0.1  # of the cumulative distribution that one sample averages


def softmax(logits):
    """(..., Q) -> the distribution, float32."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def adjustment(bin_counts, share):
    """What to subtract from a rebalanced network's logits so that `share` of its rebalancing is undone; ours.

    Trained with weights w the network predicts p w, normalised, where p is the distribution of the colours; subtracting
    share * log w leaves p w^(1 - share) (post-hoc logit adjustment, Menon et al. 2021, arXiv 2007.07314).

    Parameters
    ----------
    bin_counts : training pixels in each bin, (Q,)

    Returns
    -------
    ndarray of float32, shape (Q,)
    """
    return (share * np.log(rebalancing_weights(bin_counts))).astype(np.float32)


def upsample(distribution, height, width):
    """One photograph's distribution to its full size, bilinear: (h, w, Q) -> (height, width, Q) float32."""
    return cv2.resize(distribution, (width, height), interpolation=cv2.INTER_LINEAR)


def anneal(distribution, temperature):
    """Sharpen a distribution: z^(1/T), normalised (equation 5). T = 1 leaves it, T -> 0 leaves its mode."""
    shares = distribution / distribution.max(axis=-1, keepdims=True)
    logs = np.log(np.maximum(shares, 1e-30**temperature))  # denormals are slow, and so is NumPy's power
    powers = np.exp(logs / np.float32(temperature))
    return powers / powers.sum(axis=-1, keepdims=True)


def mean_colour(distribution):
    """(..., Q) -> (..., 2) CIE ab, the expected colour."""
    return distribution @ bin_centres()


def entropy(distribution):
    """(..., Q) -> (...) in nats: how uncertain the colour is."""
    return -(distribution * np.log(np.maximum(distribution, 1e-12))).sum(axis=-1)


def samples(distribution, temperature, seeds, smoothness=0.15):
    """Draw plausible colourings, one for each seed: a colour of each pixel's distribution, alike in pixels that are near.

    A smooth random field with values in [0, 1] is read through each pixel's cumulative distribution over the bins in the
    order of their hues, so that neighbours move through their distributions together; a sample is the mean colour of a
    narrow part of it.

    Parameters
    ----------
    distribution : (H, W, Q) float32
    smoothness : share of the shorter side over which the field varies

    Yields
    ------
    ab : (H, W, 2) float32, CIE ab units
    """
    from scipy.special import ndtr  # takes as long to import as all else that colours a photograph

    height, width = distribution.shape[:2]
    centres = bin_centres()
    order = np.argsort(np.arctan2(centres[:, 1], centres[:, 0]) + 10 * (np.hypot(*centres.T) < 1), kind="stable")
    annealed = np.take(anneal(distribution, temperature), order, axis=-1)  # [..., order] would be slow
    middle = np.cumsum(annealed, axis=-1) - annealed / 2
    for seed in seeds:
        random = np.random.default_rng(seed)
        noise = random.standard_normal((height, width)).astype(np.float32)
        field = cv2.GaussianBlur(noise, (0, 0), smoothness * min(height, width), borderType=cv2.BORDER_REFLECT)
        offset = random.standard_normal()
        uniform = ndtr((field - field.mean()) / (field.std() + 1e-9) * 0.5 + offset).astype(np.float32)
        window = np.exp(-np.square(middle - uniform[..., None]) / (2 * WINDOW**2)) * annealed
        window /= window.sum(axis=-1, keepdims=True)
        yield (window @ centres[order]).astype(np.float32)
