"""What is chosen on `val` when a training ends: an L2 network's vibrance, a bins network's temperature."""

import numpy as np

from preprocessing.lab import cie_ab, lab_to_bgr
from results.metrics import colorfulness
from results.vibrance import with_vibrance

PHOTOGRAPHS = 500  # of val, evenly spread
MOST_VIBRANCE = 8.0
BISECTIONS = 12
TEMPERATURES = (1.0, 0.8, 0.6, 0.5, 0.38, 0.3, 0.25, 0.2, 0.15, 0.1)
WANTED = 0.9  # colourfulness of predictions over truths, from which a lower temperature gains nothing worth its error


def choose_on_val(colorizer, val):
    """The attributes to keep with the weights: {"vibrance": v} or {"temperature": T}."""
    rows = np.unique(np.linspace(0, len(val.L) - 1, PHOTOGRAPHS).astype(int))
    L, ab_true = val.L[rows], cie_ab(val.ab[rows])
    if colorizer.predicts_bins:
        return {"temperature": choose_temperature(colorizer, L, ab_true)}
    return {"vibrance": match_colorfulness(L, ab_true, colorizer.predict_ab(L))}


def ratio(L, ab_true, ab_pred):
    """Colourfulness of predictions over that of truths."""
    return colorfulness(lab_to_bgr(L, ab_pred)).mean() / colorfulness(lab_to_bgr(L, ab_true)).mean()


def match_colorfulness(L, ab_true, ab_pred):
    """The factor of chroma at which predictions are as colourful as the truth, by bisection; from 1 to MOST_VIBRANCE."""
    low, high = 1.0, MOST_VIBRANCE
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if ratio(L, ab_true, with_vibrance(L, ab_pred, middle)) < 1:
            low = middle
        else:
            high = middle
    return round((low + high) / 2, 2)


def choose_temperature(colorizer, L, ab_true):
    """The highest of TEMPERATURES at which predictions are WANTED times as colourful as the truth, or the lowest."""
    for temperature in TEMPERATURES:
        if ratio(L, ab_true, colorizer.predict_ab(L, temperature)) >= WANTED:
            return temperature
    return TEMPERATURES[-1]
