"""The sounds of a film: as they are where browsers play them in MP4, else as AAC."""

from fractions import Fraction

from results.colorize.film_titles import labels
from results.colorize.pyav import av

PLAYED = {"aac", "flac", "mp3", "opus"}
MP3_RATE = 16_000  # Hz, the least that MP4 holds
AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)  # Hz
AAC_BIT_RATE = 80_000  # of a channel
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}  # by number of channels; any other becomes stereo
GAP = 0.05  # seconds of silence that are kept; less is a rounded time stamp


class Sound:
    """A sound (av.AudioStream) of a film that starts at `start` seconds; `damaged` counts packets that cannot be decoded."""

    def __init__(self, stream, start):
        codec = stream.codec_context.codec.canonical_name
        self.stream, self.start = stream, start
        self.stays = codec in PLAYED and (codec != "mp3" or stream.rate >= MP3_RATE)
        self.damaged = 0
        self._next = None  # the earliest time at which it may go on: units of a packet that stays, else seconds

    def add_to(self, container):
        """The track that is to hold it, added to an av.OutputContainer."""
        if self.stays:
            track = container.add_stream_from_template(self.stream)
        else:
            rate = next((rate for rate in AAC_RATES if rate <= self.stream.rate), AAC_RATES[-1])
            track = container.add_stream("aac", rate)
            track.codec_context.layout = AAC_LAYOUTS.get(self.stream.channels, "stereo")
            track.codec_context.bit_rate = AAC_BIT_RATE * track.channels
        track.metadata.update(labels(self.stream))
        return track

    def pieces(self, packet):
        """What is to be written of a packet, or of None at the end: it, or its av.AudioFrames; times from the start."""
        if not self.stays:
            yield from self._frames(packet)
        elif packet is not None:
            stamp = packet.dts if packet.pts is None else packet.pts
            time = self._next or 0 if stamp is None else stamp - round(self.start / packet.time_base)
            packet.pts = packet.dts = time if self._next is None else max(time, self._next)
            self._next = packet.pts + 1
            yield packet

    def _frames(self, packet):
        try:
            frames = self.stream.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            time = None if frame.pts is None else frame.pts * self.stream.time_base - self.start
            if time is None or (self._next is not None and time < self._next + GAP):
                time = self._next or Fraction(0)
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = round(time * frame.sample_rate)
            self._next = time + Fraction(frame.samples, frame.sample_rate)
            yield frame
