"""From weights to pictures and scores: `load_colorizer`, metrics, grids, and the shipped weights."""

import preprocessing  # noqa: F401 - before TensorFlow is imported
