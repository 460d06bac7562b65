"""Films are written by PyAV as H.264 in MP4, which browsers and phones play."""

import contextlib

import av
import cv2
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace

from preprocessing.files import UserError
from preprocessing.photograph import UnreadableFile
from results.colorize.film_reader import FINE, matrix_for, stays

QUALITY = "18"  # x264's constant rate factor, "visually lossless or nearly so" (FFmpeg's H.264 guide)
AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)  # Hz
AAC_BIT_RATE = 80_000  # of a channel
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}  # by number of channels; any other becomes stereo
MATRICES = {Colorspace.ITU709: 1, Colorspace.ITU601: 6}  # by the scaler's name, their numbers in H.273


class Mp4:
    """An MP4 file that is written: pictures at their times, H.264 in yuv420p, and the sounds of a Film.

    Raises
    ------
    UnreadableFile
        H.264 holds no picture of that size.
    av.FFmpegError
        The file cannot be written.
    """

    def __init__(self, path, film, height, width):
        self.container = av.open(f"file:{path}", "w", format="mp4")
        self.matrix = matrix_for(height)
        self.odd = height % 2, width % 2  # rows and columns that yuv420p needs besides
        size = {"height": height + self.odd[0], "width": width + self.odd[1]}
        self.picture = self.container.add_stream(
            "libx264", film.rate, {"crf": QUALITY}, time_base=film.time_base, **size
        )
        context = self.picture.codec_context
        context.flags |= av.codec.context.Flags.frame_duration
        context.sample_aspect_ratio = film.aspect
        context.color_primaries = context.color_trc = ColorPrimaries.BT709  # those of sRGB; H.273 gives both one number
        context.color_range, context.colorspace = ColorRange.MPEG, MATRICES[self.matrix]
        try:
            context.open()
        except av.FFmpegError:
            raise UnreadableFile(f"H.264 holds no picture of {width} x {height} pixels") from None
        self.sounds = [add_sound(self.container, sound) for sound in film.sounds]
        self.container.start_encoding()

    def write(self, picture, time, duration):
        """Add a picture, (H, W, 3) uint8 BGR, to be shown at a time for a duration, in the film's units."""
        if any(self.odd):
            picture = cv2.copyMakeBorder(picture, 0, self.odd[0], 0, self.odd[1], cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(picture, "bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=self.matrix, dst_color_range="MPEG", interpolation=FINE)
        frame.pts, frame.duration, frame.time_base = time, duration, self.picture.codec_context.time_base
        self.container.mux(self.picture.encode(frame))

    def write_sound(self, number, piece):
        """Add an av.Packet or av.AudioFrame of a sound."""
        if isinstance(piece, av.Packet):
            piece.stream = self.sounds[number]
            self.container.mux(piece)
        else:
            self.container.mux(self.sounds[number].encode(piece))

    def finish(self):
        """Write what the encoders hold back, and the index."""
        self.container.mux(self.picture.encode(None))
        for sound in self.sounds:
            if sound.codec_context.is_open:
                self.container.mux(sound.encode(None))
        self.container.close()


def add_sound(container, sound):
    """A track for a sound, as it is or as AAC."""
    if stays(sound):
        track = container.add_stream_from_template(sound)
    else:
        rate = next((rate for rate in AAC_RATES if rate <= sound.rate), AAC_RATES[-1])
        track = container.add_stream("aac", rate)
        track.codec_context.layout = AAC_LAYOUTS.get(sound.channels, "stereo")
        track.codec_context.bit_rate = AAC_BIT_RATE * track.channels
    track.metadata.update({name: said for name, said in sound.metadata.items() if name == "language"})
    return track


@contextlib.contextmanager
def said_of(path):
    """Say which file it is that cannot be written, and what mends it."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; make room or choose another folder with --out"
        ) from None
