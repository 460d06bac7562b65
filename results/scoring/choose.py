"""What is chosen on `val` when a training ends: how an L2 network's or a bins network's output becomes colour."""

from itertools import product

import numpy as np

from preprocessing.ab_bins import nearest_bin
from preprocessing.lab import cie_ab, lab_to_bgr
from results.prediction.vibrance import with_vibrance
from results.scoring.metrics import auc_of_pixels, colorfulness, inverse_prior

PIXELS = 2_000_000  # of val, in photographs evenly spread: 1,953 at 32 px, 488 at 64, 122 at 128
MOST_VIBRANCE = 8.0
BISECTIONS = 10
TEMPERATURES = (1.0, 0.7, 0.5, 0.38)
UNDONE = (0.0, 0.25, 0.5)  # shares of the rebalancing
# Of the truth's colourfulness in a bins network's predictions: 0.9 is to hold of other photographs too, but not at any price.
WANTED = (0.93, 0.9, 0.87)
NEAR_BEST = 0.002  # of AuC


def choose_on_val(colorizer, val):
    """The attributes to keep with the weights: {"vibrance": v}, and for a bins network what else results.prediction.decode.PAPER names.

    An L2 network's predictions get the colourfulness of the truth. A bins network's get the first of WANTED, which can be had
    in many ways, at which some way has no lower an AuC than gray, or the last; kept is the way of highest rebalanced AuC among
    those whose AuC is within NEAR_BEST of the highest and, where there are such, not below gray's.
    """
    rows = np.unique(np.linspace(0, len(val.L) - 1, PIXELS // colorizer.resolution**2).astype(int))
    L, ab_true = val.L[rows], cie_ab(val.ab[rows])
    if not colorizer.predicts_bins:
        return {"vibrance": match_colorfulness(L, ab_true, colorizer.predict_ab(L))}
    weights = inverse_prior(colorizer.attributes["ab_bin_counts"])[nearest_bin(val.ab[rows])]
    shares = UNDONE if colorizer.attributes["objective"] == "rebalanced" else (0.0,)
    colorizer, of_gray = colorizer.remembering(None), auc_of_pixels(ab_true, 0 * ab_true).mean()
    for wanted in WANTED:
        ways = []
        for share, temperature in product(shares, TEMPERATURES):
            ab_pred = colorizer.decoded_by(rebalancing_undone=share).predict_ab(L, temperature)
            vibrance = match_colorfulness(L, ab_true, ab_pred, wanted)
            auc = auc_of_pixels(ab_true, with_vibrance(L, ab_pred, vibrance))
            way = {"temperature": temperature, "rebalancing_undone": share, "vibrance": vibrance}
            ways.append((auc.mean(), (auc * weights).sum(), way))
        best = max(auc for auc, *_ in ways)
        if best >= of_gray:
            break
    least = max(best - NEAR_BEST, of_gray if best >= of_gray else 0)
    return max((way for way in ways if way[0] >= least), key=lambda way: way[1])[2]


def ratio(L, ab_true, ab_pred):
    """Colourfulness of predictions over that of truths."""
    return colorfulness(lab_to_bgr(L, ab_pred)).mean() / colorfulness(lab_to_bgr(L, ab_true)).mean()


def match_colorfulness(L, ab_true, ab_pred, wanted=1.0):
    """The factor of chroma, 1 to MOST_VIBRANCE, at which predictions are `wanted` times as colourful as truths: bisection."""
    low, high = 1.0, MOST_VIBRANCE
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if ratio(L, ab_true, with_vibrance(L, ab_pred, middle)) < wanted:
            low = middle
        else:
            high = middle
    return round((low + high) / 2, 2)
