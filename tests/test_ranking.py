import numpy as np

from results.scoring.ranking import best_median_worst


def test_photographs_are_ranked_by_their_gain_over_gray():
    """Photograph i is coloured i everywhere and predicted as 20: the gain is i^2 - (i - 20)^2."""
    colours = np.array([0, 5, 10, 20, 40])
    ab_true = np.broadcast_to(colours[:, None, None, None], (5, 4, 4, 2))
    rows, titles = best_median_worst(ab_true, np.full((5, 4, 4, 2), 20.0), 1)
    assert rows == [4, 2, 0]
    assert titles == ["best\nMSE 400\n(gray 1600)", "median\nMSE 100\n(gray 100)", "worst\nMSE 400\n(gray 0)"]
