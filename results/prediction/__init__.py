"""From a weights file to colours: the network it names, L to ab, decoding and vibrance."""

from results.prediction.predict import Colorizer, load_colorizer

__all__ = ["Colorizer", "load_colorizer"]
