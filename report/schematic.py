"""The network as a drawing, in the manner of the original's figure 1, from the network's own list of layers."""

import io

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

SIDE = 64  # px of the input, as in the original's figure
FACE, TOP, FLANK, EDGE = "#dfe3da", "#eef0ea", "#c9cfc2", "#6f7a64"
TALL = 2.2  # drawing units of a side of 64
LONG = 1.4  # of 256 filters
SLANT = 0.35  # of a side, by which depth leans to the right
GAP = 0.5


def draw_schematic(layers):
    """An SVG of the layers between input and output.

    Parameters
    ----------
    layers : sequence of (name, filters, stride, operation), operation "conv" or "deconv", as tf_raw/network.py:LAYERS
    """
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "schematic", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(9, 2.4))
        axes = figure.add_axes((0, 0, 1, 1))
        x = _box(axes, 0.0, "lightness L", 1, SIDE)
        side = SIDE
        for name, filters, stride, operation in [*layers, ("ab", 2, 2, "deconv")]:
            side = side * stride if operation == "deconv" else side // stride
            x = _box(axes, x, name + "\n" + _how(stride, operation), filters, side)
        axes.set(xlim=(-0.4, x), ylim=(-1.75, 1.75), aspect="equal")
        axes.axis("off")
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue().decode()


def _how(stride, operation):
    if operation == "deconv":
        return f"deconv. ×{stride}"
    return f"stride {stride}"


def _box(axes, x, label, filters, side):
    """Draw one block of feature maps with its left edge at x; where the next one begins."""
    height, length = TALL * side / SIDE / 1.4, max(0.12, LONG * filters / 256)
    lean = SLANT * height
    low, high = -height / 2, height / 2
    faces = {
        FACE: [(x, low), (x + length, low), (x + length, high), (x, high)],
        TOP: [(x, high), (x + length, high), (x + length + lean, high + lean), (x + lean, high + lean)],
        FLANK: [
            (x + length, low),
            (x + length + lean, low + lean),
            (x + length + lean, high + lean),
            (x + length, high),
        ],
    }
    for colour, corners in faces.items():
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=EDGE, linewidth=0.8, joinstyle="round"))
    middle = x + (length + lean) / 2
    axes.text(middle, high + lean + 0.08, str(filters), ha="center", va="bottom", fontsize=7)
    axes.text(middle, low - 0.08, str(side), ha="center", va="top", fontsize=7)
    axes.text(middle, -1.3, label, ha="center", va="top", fontsize=6.5, color="#333333")
    return x + length + lean + GAP
