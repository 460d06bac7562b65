"""FFmpeg's filters that a film's frames go through where they need it: deinterlacing, and HDR to standard range."""

from itertools import groupby

from results.colorize.pyav import av

HDR = {16, 18}  # transfer characteristics of ITU-T H.273: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)


def deinterlaced(frames):
    """Frames that say that they are interlaced, deinterlaced (bwdif, one frame for one); others as they are."""
    return _through(frames, lambda frame: frame.interlaced_frame, ("bwdif", "mode=send_frame:deint=interlaced"))


def in_standard_range(frames):
    """Frames in PQ or HLG, tone-mapped to sRGB by FFmpeg's scaler; others as they are."""
    filters = ("scale", "out_transfer=iec61966-2-1:out_primaries=bt709:intent=perceptual"), ("format", "rgb24")
    return _through(frames, lambda frame: frame.color_trc in HDR, *filters)


def _through(frames, needed, *filters):
    """av.VideoFrames, from the first that needs it through filters, each (its name, its options)."""
    for _, alike in groupby(frames, key=lambda frame: (frame.width, frame.height, frame.format.name)):
        graph = None
        for frame in alike:
            if graph is None and needed(frame):
                graph = av.filter.Graph()
                size = {"width": frame.width, "height": frame.height}
                buffer = graph.add_buffer(**size, format=frame.format, time_base=frame.time_base)
                graph.link_nodes(buffer, *(graph.add(*each) for each in filters), graph.add("buffersink"))
                graph.configure()
            if graph is None:
                yield frame
            else:
                graph.vpush(frame)
                yield from _ready(graph)
        if graph is not None:
            graph.vpush(None)
            yield from _ready(graph)


def _ready(graph):
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
