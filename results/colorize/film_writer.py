"""Films are written by PyAV as H.264 in MP4, which browsers and phones play."""

import contextlib

import cv2

from preprocessing.files import cannot_write
from preprocessing.photograph import UnreadableFile
from results.colorize.film_reader import FINE, matrix_for
from results.colorize.pyav import av

QUALITY = "18"  # x264's constant rate factor, "visually lossless or nearly so" (FFmpeg's H.264 guide)
COLOURS = av.video.reformatter
MATRICES = {COLOURS.Colorspace.ITU709: 1, COLOURS.Colorspace.ITU601: 6}  # the scaler's names, their numbers in H.273


class Mp4:
    """An MP4 file that is written: pictures at their times, H.264 in yuv420p, and the sounds, titles and chapters of a Film.

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
            "libx264", film.rate, {"crf": QUALITY, "preset": "veryfast"}, time_base=film.time_base, **size
        )
        context = self.picture.codec_context
        context.flags |= av.codec.context.Flags.frame_duration
        context.sample_aspect_ratio = film.aspect
        context.color_primaries = COLOURS.ColorPrimaries.BT709  # which are sRGB's
        context.color_trc = COLOURS.ColorTrc.BT709
        context.color_range, context.colorspace = COLOURS.ColorRange.MPEG, MATRICES[self.matrix]
        try:
            context.open()
        except av.FFmpegError:
            raise UnreadableFile(f"H.264 holds no picture of {width} x {height} pixels") from None
        self.tracks = {sound: sound.add_to(self.container) for sound in (*film.sounds, *film.titles)}
        self.container.metadata.update(film.metadata)
        self.container.set_chapters(film.chapters)
        self.container.start_encoding()
        self.delay = None  # units from a packet's decoding to its showing, of the first

    def write(self, picture, time, duration):
        """Add a picture, (H, W, 3) uint8 BGR, to be shown at a time for a duration, in the film's units."""
        if any(self.odd):
            picture = cv2.copyMakeBorder(picture, 0, self.odd[0], 0, self.odd[1], cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(picture, "bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=self.matrix, dst_color_range="MPEG", interpolation=FINE)
        frame.pts, frame.duration, frame.time_base = time, duration, self.picture.codec_context.time_base
        self.end = time + duration
        self._mux(self.picture.encode(frame))

    def _mux(self, packets):
        if packets and self.delay is None:
            self.delay = packets[0].pts - packets[0].dts
        self.container.mux(packets)

    def write_sound(self, sound, piece):
        """Add an av.Packet or av.AudioFrame of a Sound, or an av.Packet of Titles."""
        if isinstance(piece, av.Packet):
            piece.stream = self.tracks[sound]
            self.container.mux(piece)
        else:
            self.container.mux(self.tracks[sound].encode(piece))

    def finish(self):
        """Write what the encoders hold back, and the index."""
        *packets, last = self.picture.encode(None)  # x264 holds back one at least
        self._mux(packets)
        self.delay = last.pts - last.dts if self.delay is None else self.delay
        last.duration = self.end - self.delay - last.dts  # for MP4 a film ends when what is decoded last does
        self.container.mux(last)
        for sound, track in self.tracks.items():
            if not sound.stays:
                self.container.mux(track.encode(None))
        self.container.close()


@contextlib.contextmanager
def said_of(path):
    """Say which file it is that cannot be written, and what mends it; UnreadableFile for what FFmpeg cannot put into MP4."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        if not isinstance(error, OSError):  # of this film, not of the disk
            raise UnreadableFile(f"FFmpeg does not write it as MP4 ({error.strerror})") from None
        raise cannot_write(path, error, "choose another folder with --out") from None
