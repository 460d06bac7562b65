"""Small films for the tests, written and read by PyAV; who imports this is skipped where it is missing."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from skimage import data

av = pytest.importorskip("av", reason="PyAV is not installed")

from results.colorize.film import colour_film  # noqa: E402 - which needs it

FRAMES, HEIGHT, WIDTH = 20, 72, 96
RATE = 48_000  # Hz, of the sounds


class Stub:
    """A colorizer that paints everything one colour, in place of a network."""

    resolution, vibrance = 32, 1.0

    def predict_ab(self, L, temperature=None):
        return np.tile(np.float32([20, 30]), (*L.shape[:3], 1))


def panned(frames=FRAMES, height=HEIGHT, width=WIDTH):
    """A camera that moves over a photograph, with a sensor's noise: (H, W, 3) uint8 BGR each."""
    random = np.random.default_rng(0)
    image = cv2.resize(data.chelsea()[..., ::-1], (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    for x in range(frames):
        part = image[height // 2 : height // 2 + height, x : x + width].astype(np.float32)
        yield np.clip(part + random.normal(0, 4, part.shape), 0, 255).astype(np.uint8)


def write(
    path, frames, codec="mpeg4", pixels="yuv420p", times=None, sound=None, seconds=0.8, turned=0, matrix=None, **context
):
    """A film of 25 frames a second, or at `times` in ms; with a tone in the codec `sound`; it does not name its `matrix`."""
    frames = list(frames)
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        picture = container.add_stream(codec, 25, width=width, height=height)
        picture.pix_fmt = pixels
        picture.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, 25)
        for name, value in context.items():
            setattr(picture.codec_context, name, value)
        if turned:
            picture.set_display_rotation(turned)
        track = container.add_stream(sound, RATE, layout="mono") if sound else None
        for number, image_bgr in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image_bgr, "bgr24").reformat(format=pixels, dst_colorspace=matrix)
            frame.pts, frame.time_base = times[number] if times else number, picture.codec_context.time_base
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        if track:
            container.mux(track.encode(tone(seconds)))
            container.mux(track.encode(None))
    return path


def tone(seconds):
    """An av.AudioFrame of one tone."""
    wave = np.sin(np.arange(int(seconds * RATE)) * 0.06).astype(np.float32)[None] / 2
    frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    return frame


def read(path):
    """(frames as (H, W, 3) uint8 BGR, their times in seconds) of a film that we wrote."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.to_ndarray(format="bgr24") for frame in frames], [frame.time for frame in frames]


def painted(source, folder, **names):
    """The paths of a film coloured by the stand-in, and the remark."""
    outputs = {"colorized": folder / "out.mp4"} | {name: folder / path for name, path in names.items()}
    return outputs["colorized"], colour_film(source, outputs, Stub())
