"""The results' figures as the report shows them: photographs large enough to be seen, files small enough to be sent."""

import io

import numpy as np
from PIL import Image

from results.drawing.grid import CELL_PX, GAP_PX, MARGIN_PX, TITLE_PX

BLOCKS = {  # into how many blocks, side by side, the rows of a tall grid are set
    "result32": 2,
    "result128": 2,
    "ranked64": 2,
    "vivid64": 2,
    "errata-swapped": 2,
}
ROWS = {"possible64": 5}  # how many rows are shown of a grid that would fill a page
WIDEST = {"JPEG": 1300, "WEBP": 1150}  # px; on the page at most 6.5 inches, on the screen 960 CSS px
QUALITY = {"JPEG": 75, "WEBP": 68}
CHART = 8192  # what has no more colours is no photograph


def picture(path, kind):
    """A figure of the results as the bytes of an image file: charts without loss, photographs with, where that is smaller.

    Parameters
    ----------
    path : Path of a PNG
    kind : "WEBP", or "JPEG" for a PDF, which holds JPEG and PNG as they are
    """
    image = arranged(Image.open(path).convert("RGB"), BLOCKS.get(path.stem, 1), ROWS.get(path.stem))
    if image.getcolors(CHART) is not None:
        if kind == "WEBP":
            return _encoded(image, format="WEBP", lossless=True, method=2)
        return _encoded(image.quantize(64), format="PNG")
    small = image.copy()
    small.thumbnail((WIDEST[kind], image.height), Image.Resampling.LANCZOS)
    lossy = _encoded(small, format=kind, quality=QUALITY[kind])
    return lossy if kind == "WEBP" else min(lossy, _encoded(image, format="PNG"), key=len)


def arranged(image, blocks, rows=None):
    """The first `rows` of a grid that `results.drawing.grid` drew, in `blocks` side by side under the same titles."""
    pixels = np.asarray(image)
    top, step = MARGIN_PX + TITLE_PX, CELL_PX + GAP_PX
    count = (len(pixels) - top - MARGIN_PX + GAP_PX) // step
    if (blocks, rows) == (1, None):
        return image
    rows = np.split(pixels[top : top + count * step], count)[:rows]
    each = -(-len(rows) // blocks)
    parts = [np.concatenate([pixels[:top], *rows[place : place + each]]) for place in range(0, len(rows), each)]
    height = max(map(len, parts))
    whole = [np.pad(part, ((0, height - len(part)), (0, 0), (0, 0)), constant_values=255) for part in parts]
    return Image.fromarray(np.concatenate(whole, axis=1))


def _encoded(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()
