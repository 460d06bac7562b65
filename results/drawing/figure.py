"""A matplotlib figure as a PNG file: whole or absent, and the same bytes from every version of matplotlib."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg

from preprocessing.files import write_atomically


def write_figure(figure, path):
    """Write `figure`; raises UserError where it cannot."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
