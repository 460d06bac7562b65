"""Films: every frame coloured as a photograph is, its colours carried along the motion so that they do not flicker."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from preprocessing.lab import bgr_to_lab
from preprocessing.photograph import UnreadableFile
from results.colorize.film_reader import open_film
from results.colorize.film_writer import Mp4, said_of
from results.colorize.full_size import gray_picture, guide_of, join, predict_small

BATCH = 8  # frames that go through the network together, while as many before them are finished
KEPT = 0.9  # share of the last frame's colours where the picture is the same
SAME = 0.05  # of L in 0..1: a carried pixel that differs by this counts for 1/e


def colour_film(source, outputs, colorizer, vibrance=None, temperature=None, progress=lambda frames, total: frames):
    """Colour a film into MP4 files (H.264 and AAC, or the sound that it has), its frames shown when they were; with its titles.

    Parameters
    ----------
    source : path
    outputs : {"colorized": path} and, for gray | truth | predicted, {"compare": path} as well
    progress : (frames, total=their number, about, or None) -> frames, for a progress bar

    Returns
    -------
    remark : str, what the user should know of the result, or empty

    Raises
    ------
    UnreadableFile
        It is no film that FFmpeg reads, H.264 holds no picture of its size, or it was cut short or is damaged; what can
        be read is coloured and kept.
    UserError
        The result cannot be written; nothing is left behind.
    """
    with open_film(source) as film, folder_near(next(iter(outputs.values()))) as unfinished:
        pairs = progress(coloured(film.frames(), colorizer, vibrance, temperature), total=film.total)
        written = {name: (unfinished / f"{name}.mp4", path) for name, path in outputs.items()}
        odd = write_films(written, film, pairs)
        missing = film.shortfall()
        if not film.count:
            raise UnreadableFile(missing)
        for unnamed, path in written.values():
            with said_of(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(unnamed, path)
    if missing:
        raise UnreadableFile(f"{missing}; what could be read was coloured")
    remarks = ["its last row or column doubled: H.264 asks for even sides"] * odd
    remarks += [f"left out: {', '.join(film.left_out)}"] * bool(film.left_out)
    return "; ".join(remarks)


@contextmanager
def folder_near(path):
    """A folder, for this while, on the file system where `path` will be."""
    with said_of(path):
        place = next(place for place in path.absolute().parents if place.exists())
        unfinished = TemporaryDirectory(prefix=".colorize-", dir=place)
    with unfinished as folder:
        yield Path(folder)


def write_films(written, film, pairs):
    """Write (frame, coloured frame) pairs, and the sounds that were read on the way, to MP4 files.

    Parameters
    ----------
    written : {name: (path, the path that it will have)}

    Returns
    -------
    odd : bool, whether a side had to be made even
    """
    films = {}
    for frame, image_bgr in pairs:
        when = film.times.popleft()
        for name, (path, final) in written.items():
            picture = image_bgr
            if name == "compare":
                picture = np.hstack([gray_picture(bgr_to_lab(frame)[0]), frame, image_bgr])
            with said_of(final):
                films[name] = films.get(name) or Mp4(path, film, *picture.shape[:2])
                films[name].write(picture, *when)
        write_sounds(written, film, films)
    if films:
        write_sounds(written, film, films)
    for name, each in films.items():
        with said_of(written[name][1]):
            each.finish()
    return any(any(each.odd) for each in films.values())


def write_sounds(written, film, films):
    """Write what was read of the sounds so far."""
    while film.heard:
        sound, packet = film.heard.popleft()
        for piece in sound.pieces(packet):
            for name, each in films.items():
                with said_of(written[name][1]):
                    each.write_sound(sound, piece)


def coloured(frames, colorizer, vibrance=None, temperature=None, steadied=True):
    """Yield (frame, coloured frame), (H, W, 3) uint8 BGR each."""

    def look(group):
        L = [bgr_to_lab(frame)[0] for frame in group]
        small = np.stack([guide_of(each) for each in L])  # once for all views: a film's frames are many
        ab = predict_small(small[..., None], lambda seen: colorizer.predict_ab(seen, temperature), colorizer.resolution)
        return zip(group, L, small, ab, strict=True)

    before = None
    for frame, lightness, seen, ab in _while_the_next_are_looked_at(iter(frames), look):
        seen = cv2.resize(seen, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
        if steadied and before is not None:
            ab = steady(*before, seen, ab)
        before = seen, ab
        yield frame, join(lightness, ab, colorizer.vibrance if vibrance is None else vibrance)


def _while_the_next_are_looked_at(frames, look):
    """Yield what `look` gives of groups of frames, one after the other; on a thread it looks at the next group meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        ready = ()
        while group := list(islice(frames, BATCH)):  # read here: FFmpeg's sounds and frames go through one thread
            looking = pool.submit(look, group)
            yield from ready
            ready = looking.result()
        yield from ready


def steady(L_before, ab_before, L, ab):
    """Mix a frame's colours with those of the frame before, moved to where they are now.

    Where the moved picture differs from this one (a cut, something uncovered) the frame's own colours stand.

    Parameters
    ----------
    L_before, L : (h, w) uint8
    ab_before, ab : (h, w, 2) float32, CIE ab units

    Returns
    -------
    ab : (h, w, 2) float32
    """
    carried_L, carried_ab = carried(L_before, ab_before, L)
    difference = (carried_L.astype(np.float32) - L) / 255
    share = KEPT * np.exp(-np.square(difference / SAME))[..., None]
    return share * carried_ab + (1 - share) * ab


def carried(L_before, ab_before, L):
    """The frame before, moved along the optical flow to where its parts are in this frame (Kroeger et al. 2016)."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(L, L_before, None)
    rows, columns = np.indices(L.shape, np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return tuple(cv2.remap(p, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for p in (L_before, ab_before))
