"""A matplotlib figure as a PNG file: whole or absent, and left alone where only float rounding or type would change it."""

import io
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from preprocessing.files import write_atomically

ROUNDING = 2  # levels by which one photograph differs between machines


def write_figure(figure, path, photographs=()):
    """Write `figure`, unless the file at `path` shows the same photographs; whether it was written.

    Parameters
    ----------
    photographs : sequence of slices of rows and columns, px: where they stand; text beside them is not compared, since
        versions of matplotlib draw it differently
    """
    canvas = FigureCanvasAgg(figure)
    if photographs and Path(path).exists():
        canvas.draw()
        if _alike(Path(path).read_bytes(), np.asarray(canvas.buffer_rgba())[..., 2::-1], photographs):
            return False
    buffer = io.BytesIO()
    canvas.print_png(buffer, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return True


def _alike(before, drawn_bgr, photographs):
    before = cv2.imdecode(np.frombuffer(before, np.uint8), cv2.IMREAD_COLOR)
    if before is None or before.shape != drawn_bgr.shape:
        return False
    return all(cv2.absdiff(before[place], drawn_bgr[place]).max() <= ROUNDING for place in photographs)
