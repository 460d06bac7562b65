"""The learning curve of a run: training and validation error by images seen."""

import csv
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from preprocessing.files import write_atomically

COLUMNS = ("epoch", "images", "train_mse", "val_mse")
TRAIN_COLOUR, VAL_COLOUR = "#9a9a9a", "#c0392b"


def write_curve(history, stem):
    """Write `<stem>.csv` and `<stem>.png` from the epochs of a run.

    Parameters
    ----------
    history : list of dict with COLUMNS; errors in CIE ab units squared
    stem : path without suffix
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(stem.with_name(f"{stem.name}.csv"), text.getvalue().encode())
    write_atomically(stem.with_name(f"{stem.name}.png"), _draw(history, stem.name))


def _draw(history, title):
    figure = Figure(figsize=(5, 3.2), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    images = [row["images"] / 1000 for row in history]
    axes.plot(images, [row["train_mse"] for row in history], color=TRAIN_COLOUR, label="training (while it learns)")
    axes.plot(images, [row["val_mse"] for row in history], color=VAL_COLOUR, label="validation")
    best = min(history, key=lambda row: row["val_mse"])
    axes.plot(best["images"] / 1000, best["val_mse"], "o", color=VAL_COLOUR, markersize=5)
    axes.annotate(
        f"{best['val_mse']:.1f}",
        (best["images"] / 1000, best["val_mse"]),
        (0, 8),
        textcoords="offset points",
        ha="right",
    )
    axes.set(xlabel="images seen, thousands", ylabel="MSE, CIE ab units squared", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
