"""The learning curve of a run: training and validation error by images seen."""

import csv
import io

from matplotlib.figure import Figure

from preprocessing.files import write_atomically
from results.drawing.figure import write_figure

UNITS = {"mse": "MSE, CIE ab units squared", "cross_entropy": "cross entropy, nats"}
TRAIN_COLOUR, VAL_COLOUR = "#9a9a9a", "#c0392b"


def write_curve(history, loss, stem):
    """Write `<stem>.csv` and `<stem>.png` from the epochs of a run.

    Parameters
    ----------
    history, loss : as in preprocessing.options.TrainedNetwork
    stem : path without suffix
    """
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ("epoch", "images", f"train_{loss}", f"val_{loss}"), extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(history)
    write_atomically(stem.with_name(f"{stem.name}.csv"), text.getvalue().encode())
    _draw(history, loss, stem.name, stem.with_name(f"{stem.name}.png"))


def _draw(history, loss, title, path):
    figure = Figure(figsize=(5, 3.2), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    images = [row["images"] / 1000 for row in history]
    axes.plot(images, [row[f"train_{loss}"] for row in history], color=TRAIN_COLOUR, label="training (while it learns)")
    axes.plot(images, [row[f"val_{loss}"] for row in history], color=VAL_COLOUR, label="validation")
    best = min(history, key=lambda row: row[f"val_{loss}"])
    axes.plot(best["images"] / 1000, best[f"val_{loss}"], "o", color=VAL_COLOUR, markersize=5)
    axes.annotate(
        f"{best[f'val_{loss}']:.4g}",
        (best["images"] / 1000, best[f"val_{loss}"]),
        (0, 8),
        textcoords="offset points",
        ha="right",
    )
    axes.set(xlabel="images seen, thousands", ylabel=UNITS[loss], title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    write_figure(figure, path)
