"""Films: every frame coloured as a photograph is, its colours carried along the motion so that they do not flicker."""

import os
import shutil
import subprocess
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from preprocessing.files import UserError
from preprocessing.lab import bgr_to_lab
from preprocessing.photograph import UnreadableFile
from results.colorize.full_size import gray_picture, join, predict_small

BATCH = 16  # frames that go through the network together
KEPT = 0.9  # share of the last frame's colours where the picture is the same
SAME = 0.05  # of L in 0..1: a carried pixel that differs by this counts for 1/e
OUT_OF_STEP = 0.3  # seconds between a frame's time and its place at an even rate
WHOLE = 0.95  # a film that gives fewer of the frames its header names was cut short (some headers estimate)


def colour_film(source, outputs, colorizer, vibrance=None, temperature=None, progress=lambda frames, total: frames):
    """Colour a film into MPEG-4 files, with its sound where ffmpeg is installed.

    Parameters
    ----------
    source : path
    outputs : {"colorized": path} and, for gray | truth | predicted, {"compare": path} as well
    progress : (frames, total=their number) -> frames, for a progress bar

    Returns
    -------
    remark : str, what the user should know of the result, or empty

    Raises
    ------
    UnreadableFile
        OpenCV reads no frame of it, MPEG-4 holds no picture of its size, or it was cut short; what comes before the
        cut is coloured and kept.
    UserError
        The result cannot be written.
    """
    film = cv2.VideoCapture(str(source))
    announced, per_second = int(film.get(cv2.CAP_PROP_FRAME_COUNT)), film.get(cv2.CAP_PROP_FPS) or 25.0
    times = []
    pairs = coloured(read_frames(film, times), colorizer, vibrance, temperature)
    folder = next(iter(outputs.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".colorize-", dir=folder) as unfinished:
        silent = {name: Path(unfinished) / f"{name}.mp4" for name in outputs}
        count = write_films(silent, progress(pairs, total=announced), per_second)
        if not count:
            raise UnreadableFile("no film that OpenCV can read, or cut short before its first frame")
        remark = ""
        for name, path in outputs.items():
            if int(cv2.VideoCapture(str(silent[name])).get(cv2.CAP_PROP_FRAME_COUNT)) != count:
                raise UserError(f"cannot write {path}: make room or choose another folder with --out")
            finished, remark = with_sound(silent[name], source)
            os.replace(finished, path)
    if np.abs(np.array(times) - np.arange(count) / per_second).max() > OUT_OF_STEP:
        remark = (
            f"{remark}; " * bool(remark) + "its frames come at an uneven rate, ours do not: sound may be out of step"
        )
    if count < WHOLE * announced:
        raise UnreadableFile(f"cut short: {count} of {announced} frames could be read; those were coloured")
    return remark


def read_frames(film, times=None):
    """The frames of a cv2.VideoCapture, (H, W, 3) uint8 BGR, upright; their times in seconds are added to a list `times`."""
    while True:
        read, frame = film.read()
        if not read:
            return
        if times is not None:
            times.append(film.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        yield frame


def coloured(frames, colorizer, vibrance=None, temperature=None, steadied=True):
    """Yield (frame, coloured frame), (H, W, 3) uint8 BGR each."""
    frames, before = iter(frames), None
    while group := list(islice(frames, BATCH)):
        L = np.stack([bgr_to_lab(frame)[0] for frame in group])
        small = predict_small(L, lambda seen: colorizer.predict_ab(seen, temperature), colorizer.resolution)
        for frame, lightness, ab in zip(group, L, small, strict=True):
            seen = cv2.resize(lightness, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
            if steadied and before is not None:
                ab = steady(*before, seen, ab)
            before = seen, ab
            yield frame, join(lightness, ab, colorizer.vibrance if vibrance is None else vibrance)


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


def write_films(paths, pairs, per_second):
    """Write (frame, coloured frame) pairs to silent MPEG-4 files, one a name; the number of frames."""
    writers, count = {}, 0
    try:
        for frame, image_bgr in pairs:
            for name, path in paths.items():
                if name == "compare":
                    picture = np.hstack([gray_picture(bgr_to_lab(frame)[0]), frame, image_bgr])
                else:
                    picture = image_bgr
                if name not in writers:
                    code = cv2.VideoWriter_fourcc(*"mp4v")
                    size = picture.shape[1::-1]
                    writers[name] = cv2.VideoWriter(str(path), code, per_second, size)
                    if not writers[name].isOpened():
                        what = f"{size[0]} x {size[1]} pixels at {per_second:g} frames a second"
                        raise UnreadableFile(f"OpenCV writes no MPEG-4 film of {what} ({name})")
                writers[name].write(picture)
            count += 1
    finally:
        for writer in writers.values():
            writer.release()
    return count


def with_sound(silent, source):
    """Join a silent film with the sound of `source`; (path, remark). Sound that MPEG-4 cannot hold becomes AAC."""
    if not shutil.which("ffmpeg"):
        return silent, "without its sound, if it had any: install ffmpeg to keep it"
    joined = silent.with_stem(f"{silent.stem}-with-sound")
    inputs = ["-i", silent, "-i", source, "-map", "0:v", "-map", "1:a?", "-c:v", "copy"]
    for codec in ("copy", "aac"):
        command = ["ffmpeg", "-v", "error", "-y", *inputs, "-c:a", codec, joined]
        if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            return joined, ""
    return silent, "without its sound, which ffmpeg could not read"
