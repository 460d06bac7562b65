"""What a network learnt and where it fails: test photographs chosen by rule, not by hand."""

import numpy as np

from results.scoring.metrics import squared_error


def best_median_worst(ab_true, ab_pred, count):
    """Photographs by how much the network's error lies below that of gray (a gray photograph would win by its error alone).

    Parameters
    ----------
    ab_true, ab_pred : ndarray, shape (N, S, S, 2), CIE ab units
    count : int, photographs of each kind

    Returns
    -------
    rows : list of int, `count` best, `count` about the median and `count` worst, each photograph once
    titles : list of str, the kind and both errors of each
    """
    errors, gray_errors = squared_error(ab_true, ab_pred), squared_error(ab_true, ab_true * 0)
    order = np.argsort(errors - gray_errors, kind="stable")
    middle = (len(order) - count) // 2
    chosen = {"best": order[:count], "median": order[middle : middle + count], "worst": order[::-1][:count]}
    rows = [int(row) for each in chosen.values() for row in each]
    kinds = [kind for kind, each in chosen.items() for _ in each]
    titles = [
        f"{kind}\nMSE {errors[row]:.0f}\n(gray {gray_errors[row]:.0f})" for kind, row in zip(kinds, rows, strict=True)
    ]
    return rows, titles
