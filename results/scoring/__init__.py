"""Metrics, baselines, the rows of `evaluation.json`, what is chosen on val, and the README's tables."""

from results.scoring.choose import choose_on_val
from results.scoring.evaluate import score

__all__ = ["choose_on_val", "score"]
