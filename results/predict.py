"""The documented place of `load_colorizer`, which is in `results.prediction`."""

from results.prediction import load_colorizer as load_colorizer
