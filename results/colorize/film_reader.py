"""Films are read by PyAV, FFmpeg's libraries: frames upright, deinterlaced and timed, their sound, titles and chapters."""

from collections import deque
from fractions import Fraction

import numpy as np
from PIL import Image

from preprocessing.photograph import UnreadableFile, check_file
from results.colorize.film_filters import deinterlaced, in_standard_range
from results.colorize.film_sound import Sound
from results.colorize.film_titles import Titles
from results.colorize.jobs import is_animation
from results.colorize.pyav import av

HD = 720  # lines: from here on a film that does not name its colours means BT.709, below BT.601
MOST_PIXELS = 139_264 * 16 * 16  # of a frame: ITU-T H.264, level 6.2; a larger one is refused before it is decoded
NAMED = {0, 1, 4, 5, 6, 7, 9}  # matrices of ITU-T H.273 that FFmpeg's scaler knows; 0 is RGB
FINE = av.video.reformatter.Interpolation.BICUBIC | av.video.reformatter.Interpolation.ACCURATE_RND
AS_BROWSERS = 100  # ms, of an animation's page that says none
MEASURED = {"asf", "avi", "flv", "matroska", "mov"}  # formats whose header says how long the film is
OF_A_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands", "timecode"}  # metadata, not of the film
RESTARTING = {"mpeg", "mpegts"}  # formats whose time stamps may begin anew within a film
BACK, AHEAD = Fraction(-1, 10), 10  # seconds: a step beyond is such a beginning
WHOLE = 0.95  # a film that ends before this share of that (and SLACK) was cut short
SLACK = 0.1  # seconds: some headers estimate


class Film:
    """A film that is open for reading, from its beginning to its end, once.

    Attributes
    ----------
    time_base : Fraction, seconds that a unit of time means
    rate : Fraction, frames a second, about; their times are what counts
    total : int or None, the number of frames, about
    aspect : Fraction, width over height of a pixel
    sounds : list of Sound
    titles : list of Titles, its subtitles that are text
    left_out : list of str, what its other streams are that a viewer could miss
    metadata : {name: text}, of the film: its title and the like
    chapters : list of dict, as PyAV gives and takes them; from its start
    times : deque of (time, duration), units, of the frames that frames() gave; who takes a frame takes its time
    heard : deque of (Sound or Titles, av.Packet, or None at its end), what was read of them on the way
    count : int, frames that were given

    Raises
    ------
    UnreadableFile
        It is no film, or of a kind that FFmpeg does not decode.
    """

    def __init__(self, source):
        try:
            self.container = av.open(f"file:{source}", metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise UnreadableFile(f"no film that FFmpeg can read ({error.strerror})") from None
        streams, kinds = self.container.streams, set(self.container.format.name.split(","))
        self.picture = streams.best("video")
        if self.picture is None or self.picture.disposition & av.stream.Disposition.attached_pic:
            raise UnreadableFile("no film: it holds no moving picture")
        if self.picture.codec_context is None:
            raise UnreadableFile("FFmpeg does not decode its picture")
        check_frame(self.picture.width, self.picture.height)
        self.time_base = self.picture.time_base
        self.rate = self.picture.guessed_rate or Fraction(25)  # the average of raw DV is 60,000
        self.aspect = self.picture.sample_aspect_ratio or Fraction(1)
        self.start = Fraction(self.container.start_time or 0, av.time_base)
        self.length = Fraction(self.container.duration or 0, av.time_base) if kinds & MEASURED else Fraction(0)
        self.restarts = bool(kinds & RESTARTING)
        self.untimed = "avi" in kinds
        if self.untimed:  # FFmpeg gives the length of what is there
            self.length = max(self.length, self.picture.frames / self.rate)
        self.total = self.picture.frames or round(self.length * self.rate) or None
        self.sounds = [Sound(stream, self.start) for stream in streams.audio if stream.codec_context and stream.rate]
        self.titles = [Titles(stream, self.start) for stream in streams.subtitles if is_text(stream)]
        self.left_out = [what_it_is(stream) for stream in streams if self._is_missed(stream)]
        self.metadata = {name: text for name, text in self.container.metadata.items() if name.lower() not in OF_A_FILE}
        self.chapters = [from_start(chapter, self.start) for chapter in self.container.chapters()]
        self._begin()

    def _is_missed(self, stream):
        """Whether a stream that shows or says something is neither the picture nor among sounds and titles."""
        taken = [self.picture, *(each.stream for each in (*self.sounds, *self.titles))]
        cover = stream.disposition & av.stream.Disposition.attached_pic
        return stream.type in ("video", "audio", "subtitle") and not cover and stream not in taken

    def _begin(self):
        self.times, self.heard = deque(), deque()
        self.count, self.damaged, self.partial = 0, 0, False
        self.end = Fraction(0)  # seconds, of what was read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.container.close()

    def frames(self):
        """Yield each frame, (H, W, 3) uint8 BGR, all of the first one's size; UnreadableFile for pixels of an unknown kind."""
        try:
            yield from self._frames()
        except av.FFmpegError as error:
            raise UnreadableFile(f"FFmpeg does not convert its picture ({error.strerror})") from None

    def _frames(self):
        first, earliest, next_time = None, None, 0
        for frame in in_standard_range(deinterlaced(self._decoded())):
            if first is None:
                first, matrix = frame, display_matrix(frame)
                if matrix[0] == 0:
                    self.aspect = 1 / self.aspect
                if self.untimed:
                    self.start = (frame.dts or 0) * frame.time_base
            stamp = frame.dts if self.untimed or frame.pts is None else frame.pts
            time = next_time if stamp is None else round((stamp * frame.time_base - self.start) / self.time_base)
            time = time if earliest is None else max(time, earliest)
            duration = round((frame.duration * frame.time_base or 1 / self.rate) / self.time_base)
            earliest, next_time = time + 1, time + max(1, duration)
            self.times.append((time, duration))
            self.count += 1
            yield upright(to_bgr(frame, first.width, first.height), matrix)

    def _decoded(self):
        """Yield av.VideoFrames, and put the packets of sounds and titles aside."""
        beside = {each.stream.index: each for each in (*self.sounds, *self.titles)}
        for packet in self._packets():
            if packet.stream_index == self.picture.index:
                yield from self._frames_of(packet)
            elif packet.stream_index in beside:
                self.heard.append((beside[packet.stream_index], packet))
        yield from self._frames_of(None)
        self.heard.extend((sound, None) for sound in self.sounds)

    def _packets(self):
        packets, shift, reached = self.container.demux(), 0, {}
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self.partial = True
                return
            if not packet.size:  # a frame that AVI leaves out, which a decoder would take for the end
                continue
            if self.restarts and packet.dts is not None:
                now = packet.dts * packet.time_base + shift
                expected = reached.get(packet.stream_index, now)
                if not BACK <= now - expected <= AHEAD:
                    now, shift = expected, shift + expected - now
                reached[packet.stream_index] = now + (packet.duration or 0) * packet.time_base
                packet.dts += round(shift / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts + round(shift / packet.time_base)
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                end = (stamp + (packet.duration or 0)) * packet.time_base - min(self.start, 0)
                self.end = max(self.end, end)
            self.partial = packet.is_corrupt
            yield packet

    def _frames_of(self, packet):
        try:
            frames = self.picture.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            self.damaged += frame.is_corrupt
            frame.time_base = self.picture.time_base
            yield frame

    def shortfall(self):
        """After the last frame: what of the film could not be read, or empty."""
        if not self.count:
            return "no frame of it can be read"
        if self.partial or self.end < WHOLE * self.length - SLACK:
            return f"cut short after {float(self.end):.1f} seconds"
        if self.damaged:
            return f"damaged: {self.damaged} of its frames"
        if damaged := sum(sound.damaged for sound in self.sounds):
            return f"damaged: its sound, in {damaged} places"
        return ""


class Animation(Film):
    """An animated GIF, PNG, WebP or AVIF, which Pillow reads; see Film."""

    def __init__(self, source):
        self.container = Image.open(source)
        check_frame(*self.container.size)
        self.time_base, self.rate, self.aspect = Fraction(1, 1000), Fraction(10), Fraction(1)
        self.total, self.sounds, self.start, self.length = self.container.n_frames, [], Fraction(0), Fraction(0)
        self.titles, self.left_out, self.metadata, self.chapters = [], [], {}, []
        self.untimed = False
        self._begin()

    def _decoded(self):
        """Yield av.VideoFrames; what is transparent is white."""
        white = Image.new("RGBA", self.container.size, "white")
        for number in range(self.total):
            try:
                self.container.seek(number)
                page = self.container.convert("RGBA")
            except (OSError, EOFError, ValueError, SyntaxError):  # of a file that is damaged
                self.partial = True
                return
            frame = av.VideoFrame.from_image(Image.alpha_composite(white, page).convert("RGB"))
            frame.pts, frame.time_base = round(self.end / self.time_base), self.time_base
            frame.duration = round(self.container.info.get("duration") or AS_BROWSERS)
            self.end += frame.duration * self.time_base
            yield frame


def check_frame(width, height):
    """Raise UnreadableFile for frames of more than MOST_PIXELS pixels."""
    if width * height > MOST_PIXELS:
        raise UnreadableFile(f"frames of {width} x {height} pixels are more than H.264 holds, {MOST_PIXELS:,}")


def is_text(stream):
    """Whether subtitles are text, and not pictures of it."""
    return stream.codec_context is not None and stream.codec_context.codec.text_sub


def what_it_is(stream):
    """A stream in words: "subtitle (dvdsub)"."""
    return f"{stream.type} ({stream.codec_context.codec.name if stream.codec_context else 'unknown'})"


def from_start(chapter, start):
    """A chapter whose times, in its own units, count from `start` seconds."""
    shift = round(start / chapter["time_base"])
    return chapter | {name: max(0, chapter[name] - shift) for name in ("start", "end")}


def open_film(source):
    """A Film; raises UnreadableFile."""
    check_file(source)
    return Animation(source) if is_animation(source) else Film(source)


def to_bgr(frame, width, height):
    """An av.VideoFrame of any kind as (height, width, 3) uint8 BGR."""
    guess = None if frame.colorspace in NAMED else matrix_for(height)
    return frame.reformat(width, height, "bgr24", src_colorspace=guess, interpolation=FINE).to_ndarray()


def matrix_for(height):
    """The matrix that a film of so many lines means if it does not name one."""
    spaces = av.video.reformatter.Colorspace
    return spaces.ITU709 if height >= HD else spaces.ITU601


def display_matrix(frame):
    """How a frame is to be turned: (a, b, c, d), x' = a x + c y, y' = b x + d y, each -1, 0 or 1."""
    try:
        a, b, _, c, d = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), np.int32)[:5]
    except (KeyError, ValueError):  # none, or PyAV does not know other data beside it
        return 1, 0, 0, 1
    a, b, c, d = np.sign([0, b, c, 0] if abs(b) > abs(a) else [a, 0, 0, d]).tolist()
    return (a, b, c, d) if a + c and b + d else (1, 0, 0, 1)  # some files hold zeros


def upright(picture, matrix):
    """A picture as its display matrix means it: (H, W, 3) uint8 -> (H, W, 3) or (W, H, 3) uint8."""
    a, b, c, d = matrix
    if a == 0:
        picture = picture.transpose(1, 0, 2)
    return np.ascontiguousarray(picture[:: b + d, :: a + c])
