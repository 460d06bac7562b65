"""Grids of photographs, learning curves, and the style of every figure."""

from results.drawing.curve import write_curve
from results.drawing.grid import draw_grid

__all__ = ["draw_grid", "write_curve"]
