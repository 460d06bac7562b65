"""The subtitles of a film, as text that MP4 holds (3GPP timed text, FFmpeg's mov_text)."""

from results.colorize.pyav import av

KIND = "mov_text"


class Titles:
    """Subtitles in text (av.SubtitleStream) of a film that starts at `start` seconds; used as a Sound is."""

    stays = True

    def __init__(self, stream, start):
        self.stream, self.start = stream, start
        self._before = 0  # of the last packet, in its units: MP4 takes none that is earlier
        stream.codec_context.open(strict=False)
        self._encoder = av.CodecContext.create(KIND, "w")
        self._encoder.subtitle_header = stream.codec_context.subtitle_header

    def add_to(self, container):
        """The track that is to hold them, added to an av.OutputContainer."""
        track = container.add_stream(KIND)
        track.codec_context.subtitle_header = self.stream.codec_context.subtitle_header
        track.metadata.update(labels(self.stream))
        return track

    def pieces(self, packet):
        """The av.Packet that is to be written of a packet, if any; time from the start."""
        if packet is None or packet.pts is None:
            return
        try:
            text = self.stream.codec_context.decode2(packet)
            piece = self._encoder.encode_subtitle(text) if text else None
        except av.FFmpegError:  # one text less
            return
        if piece:
            self._before = max(self._before, packet.pts - round(self.start / packet.time_base))
            piece.time_base, piece.pts, piece.dts = packet.time_base, self._before, self._before
            piece.duration = packet.duration
            yield piece


def labels(stream):
    """What a player shows to choose a stream by."""
    return {name: text for name, text in stream.metadata.items() if name in ("language", "title")}
