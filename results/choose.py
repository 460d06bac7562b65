"""What is chosen on `val` when a training ends: the vibrance of a network, and a bins network's temperature with it."""

import numpy as np

from preprocessing.lab import cie_ab, lab_to_bgr
from results.metrics import auc_of_pixels, colorfulness
from results.vibrance import with_vibrance

PHOTOGRAPHS = 500  # of val, evenly spread
MOST_VIBRANCE = 8.0
BISECTIONS = 12
TEMPERATURES = (1.0, 0.8, 0.6, 0.5, 0.38, 0.3, 0.2)
WANTED = 0.9  # colourfulness of a bins network's predictions over that of truths


def choose_on_val(colorizer, val):
    """The attributes to keep with the weights: {"vibrance": v}, and "temperature" for a bins network.

    An L2 network's predictions get the colourfulness of the truth. A bins network's get WANTED of it, which temperature
    and vibrance reach in more than one way: the one of highest AuC is kept.
    """
    rows = np.unique(np.linspace(0, len(val.L) - 1, PHOTOGRAPHS).astype(int))
    L, ab_true = val.L[rows], cie_ab(val.ab[rows])
    if not colorizer.predicts_bins:
        return {"vibrance": match_colorfulness(L, ab_true, colorizer.predict_ab(L))}
    ways = []
    for temperature in TEMPERATURES:
        ab_pred = colorizer.predict_ab(L, temperature)
        vibrance = match_colorfulness(L, ab_true, ab_pred, WANTED)
        auc = auc_of_pixels(ab_true, with_vibrance(L, ab_pred, vibrance)).mean()
        ways.append((auc, {"temperature": temperature, "vibrance": vibrance}))
    return max(ways, key=lambda way: way[0])[1]


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
