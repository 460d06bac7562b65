"""Grids like the original's figures: rows of gray | truth | predicted, and pairs of predicted | truth."""

import cv2
import numpy as np
from matplotlib.figure import Figure

from preprocessing.lab import lab_to_bgr
from results.drawing.figure import write_figure

DPI = 200
CELL_PX = 256  # 32, 64 and 128 divide it: every pixel of a picture is a crisp square
GAP_PX = 16
TITLE_PX = 56
TITLE_GAP_PX = 17
MARGIN_PX = 40
ROW_TITLE_PX = 220


def triples(L, ab_true, ab_pred):
    """The columns of the original's figure 32: (N, S, S, .) arrays -> {title: (N, S, S, 3) uint8 BGR}."""
    return {
        "Gray": lab_to_bgr(L, ab_true * 0),
        "Ground truth": lab_to_bgr(L, ab_true),
        "Predicted": lab_to_bgr(L, ab_pred),
    }


def pairs(L, ab_true, ab_pred):
    """The columns of the original's figure 64."""
    columns = triples(L, ab_true, ab_pred)
    return {title: columns[title] for title in ("Predicted", "Ground truth")}


def swap_channels(columns):
    """Red and blue exchanged, as the original drew its figure 64 (erratum 2)."""
    return {title: images[..., ::-1] for title, images in columns.items()}


def draw_grid(columns, path, blocks=1, row_titles=(), cell_px=CELL_PX):
    """Draw columns of pictures under their titles and write a PNG.

    Parameters
    ----------
    columns : dict of str to ndarray of uint8, shape (N, S, S, 3), BGR
    path : where the PNG goes
    blocks : int, how many photographs stand side by side in one row
    row_titles : sequence of str, optional; one to the left of each row
    cell_px : int, the side at which a picture is drawn

    Returns
    -------
    drawn : bool; False where the file at `path` shows the same photographs, but for rounding, and was left alone
    """
    count = len(next(iter(columns.values())))
    blocks = min(blocks, count)
    rows = -(-count // blocks)
    block_px = len(columns) * (cell_px + GAP_PX) + GAP_PX
    margin = MARGIN_PX + ROW_TITLE_PX * bool(row_titles)
    width = margin + MARGIN_PX + blocks * block_px - 2 * GAP_PX
    height = 2 * MARGIN_PX + TITLE_PX + rows * (cell_px + GAP_PX) - GAP_PX
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    places = []
    for index in range(count):
        row, block = divmod(index, blocks)
        for column, (title, images) in enumerate(columns.items()):
            left = margin + block * block_px + column * (cell_px + GAP_PX)
            bottom = height - MARGIN_PX - TITLE_PX - row * (cell_px + GAP_PX) - cell_px
            top = height - bottom - cell_px
            places.append(np.s_[top : top + cell_px, left : left + cell_px])
            image_bgr = cv2.resize(images[index], (cell_px, cell_px), interpolation=cv2.INTER_NEAREST)
            figure.figimage(image_bgr[..., ::-1], left, bottom, origin="upper")  # axes of their own take seconds
            if row == 0:
                centre, over = (left + cell_px / 2) / width, (bottom + cell_px + TITLE_GAP_PX) / height
                figure.text(centre, over, title, fontsize=9, family="DejaVu Sans", ha="center")
    for row, title in enumerate(row_titles):
        bottom = height - MARGIN_PX - TITLE_PX - row * (cell_px + GAP_PX) - cell_px / 2
        figure.text(MARGIN_PX / width, bottom / height, title, fontsize=8, family="DejaVu Sans", va="center")
    return write_figure(figure, path, places)
