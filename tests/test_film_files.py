"""Film files: frames at their times, upright and deinterlaced, with their sound; what cannot be read is said."""

import errno
import re
import struct
import warnings
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from films import FRAMES, HEIGHT, RATE, WIDTH, av, painted, panned, read, write
from PIL import Image

from preprocessing.files import UserError
from preprocessing.lab import bgr_to_lab
from preprocessing.photograph import UnreadableFile
from results.colorize.film_filters import deinterlaced
from results.colorize.film_reader import display_matrix, open_film, upright
from results.colorize.film_writer import said_of


@pytest.mark.parametrize(("height", "matrix"), [(576, 6), (720, 1)])
def test_what_is_written_plays_anywhere_and_names_its_colours(tmp_path, height, matrix):
    flat = np.full((height, 64, 3), (200, 90, 40), np.uint8)  # where BT.601 and BT.709 differ by 12 levels and more
    out, _ = painted(write(tmp_path / "flat.mkv", [flat] * 2, "ffv1", "bgr0"), tmp_path, compare="compare.mp4")
    with av.open(str(out)) as container:
        (frame, _) = container.decode(video=0)
        assert container.streams.video[0].codec_context.codec.canonical_name == "h264"
        assert (frame.format.name, frame.color_range) == ("yuv420p", 1)
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (matrix, 1, 1)
    shown = read(tmp_path / "compare.mp4")[0][0][height // 2, 64 + 32]
    assert np.abs(shown.astype(int) - flat[0, 0]).max() <= 4


def test_ten_bits_and_full_range_are_read_right(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, WIDTH).astype(np.uint8)[None, :, None], HEIGHT, 0).repeat(3, 2)
    for codec, pixels in (("ffv1", "yuv420p10le"), ("ffv1", "yuv422p"), ("ffv1", "gray"), ("mjpeg", "yuvj444p")):
        with open_film(write(tmp_path / "ramp.mkv", [ramp], codec, pixels)) as opened:
            (frame,) = opened.frames()
        assert np.abs(frame.astype(int) - ramp).max() <= 6, pixels


@pytest.mark.parametrize(("height", "matrix"), [(576, "ITU601"), (720, "ITU709")])
def test_colours_that_a_film_does_not_name_are_those_of_its_height(tmp_path, height, matrix):
    flat = np.full((height, 64, 3), (200, 90, 40), np.uint8)
    with open_film(write(tmp_path / "flat.mkv", [flat], "ffv1", "yuv444p", matrix=matrix)) as opened:
        (frame,) = opened.frames()
    assert np.abs(frame[height // 2, 32].astype(int) - flat[0, 0]).max() <= 3


def test_an_interlaced_film_is_deinterlaced(tmp_path):
    """Stripes that move between the two fields tear apart; after bwdif rows lie where their neighbours do."""
    moving = [np.roll(np.kron(np.eye(4)[[0, 1] * 2], np.ones((18, 24))) * 255, 6 * x, axis=1) for x in range(21)]
    woven = []
    for first, second in zip(moving[::2], moving[1::2], strict=False):
        woven.append(
            np.where(np.arange(HEIGHT)[:, None] % 2 == 0, first, second).astype(np.uint8)[..., None].repeat(3, 2)
        )
    flags = av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
    source = write(tmp_path / "woven.mkv", woven, "mpeg2video", flags=flags, bit_rate=4_000_000)

    def tearing(frames):
        rows = np.stack([frame[..., 1].astype(int) for frame in frames])
        return np.abs(2 * rows[:, 1:-1] - rows[:, :-2] - rows[:, 2:]).mean()

    (before, times), (after, now) = read(source), read(painted(source, tmp_path)[0])
    assert tearing(before) > 20
    assert tearing(after) < tearing(before) / 3
    assert now == pytest.approx(times)


def test_progressive_frames_are_not_filtered(tmp_path):
    with av.open(str(write(tmp_path / "cat.mp4", panned(3)))) as container:
        frames = list(container.decode(video=0))
    assert [a is b for a, b in zip(deinterlaced(frames), frames, strict=True)] == [True] * 3


def test_uneven_frames_keep_their_times(tmp_path):
    times = [0, 40, 90, 400, 410, 1500]
    source = write(tmp_path / "uneven.mkv", panned(6), times=times, sound="aac", seconds=1.6)
    out, _ = painted(source, tmp_path)
    assert np.diff(read(out)[1]) == pytest.approx(np.diff(read(source)[1]), abs=1e-6)


def test_a_picture_that_starts_after_the_sound_still_does(tmp_path):
    source = write(tmp_path / "late.mp4", panned(6), times=list(range(1000, 1240, 40)), sound="aac", seconds=1.3)
    out, _ = painted(source, tmp_path)
    assert read(out)[1] == pytest.approx(read(source)[1])
    assert read(out)[1][0] == pytest.approx(1)


def test_films_joined_end_to_end_go_on_where_time_stamps_begin_anew(tmp_path):
    part = write(tmp_path / "part.ts", panned(6), "mpeg2video", sound="mp2", seconds=0.24).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part * 3)
    out, _ = painted(tmp_path / "joined.ts", tmp_path)
    assert np.diff(read(out)[1]) == pytest.approx(np.full(17, 0.04), abs=0.03)
    with av.open(str(out)) as container:
        assert [float(next(container.decode(each)).time) < 0.1 for each in container.streams] == [True, True]


def test_oblong_pixels_stay_oblong(tmp_path):
    source = write(tmp_path / "wide.mp4", panned(2), sample_aspect_ratio=Fraction(64, 45))
    with av.open(str(painted(source, tmp_path)[0])) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)


def test_odd_sides_lose_nothing_and_it_is_said(tmp_path):
    source = write(tmp_path / "odd.mkv", panned(2, 71, 95), "ffv1", "bgr0")
    out, remark = painted(source, tmp_path, compare="compare.mp4")
    compared = read(tmp_path / "compare.mp4")[0][0]
    assert compared.shape == (72, 286, 3)
    assert np.abs(compared[:71, 95:190].astype(int) - read(source)[0][0]).mean() < 12
    assert read(out)[0][0].shape == (72, 96, 3)
    assert "doubled" in remark


def test_frames_beyond_every_level_of_h_264_are_refused_before_they_are_decoded(tmp_path):
    first, second = (Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 255))
    first.save(tmp_path / "bomb.gif", save_all=True, append_images=[second])
    data = bytearray((tmp_path / "bomb.gif").read_bytes())
    data[6:10] = struct.pack("<HH", 40_000, 40_000)
    (tmp_path / "bomb.gif").write_bytes(data)
    unwarned = warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning)
    with unwarned, pytest.raises(UnreadableFile, match="frames of 40000 x 40000 pixels"):
        painted(tmp_path / "bomb.gif", tmp_path)


def test_a_picture_too_wide_for_h_264_is_said(tmp_path):
    source = write(tmp_path / "wide.mkv", [np.zeros((8, 20_000, 3), np.uint8)], "ffv1", "bgr0")
    with pytest.raises(UnreadableFile, match="20000 x 8 pixels"):
        painted(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["wide.mkv"]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_film_that_was_filmed_sideways_is_upright(tmp_path, turned):
    source = write(tmp_path / "turned.mp4", panned(2), turned=turned, sample_aspect_ratio=Fraction(2, 1))
    out, _ = painted(source, tmp_path)
    upright = np.rot90(read(source)[0][0], turned // 90)
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 0
        assert container.streams.video[0].sample_aspect_ratio == (2 if turned == 180 else Fraction(1, 2))
    L = [bgr_to_lab(picture)[0].astype(int) for picture in (upright, frame.to_ndarray(format="bgr24"))]
    assert np.abs(L[0] - L[1]).mean() < 4


@pytest.mark.parametrize(
    ("held", "turn"),
    [
        ([1, 0, 0, 0, 1], (1, 0, 0, 1)),
        ([-1, 0, 0, 0, 1], (-1, 0, 0, 1)),
        ([0, 1, 0, -1, 0], (0, 1, -1, 0)),
        ([0] * 5, (1, 0, 0, 1)),
    ],
)
def test_mirrored_films_and_empty_display_matrices_are_read(held, turn):
    matrix = np.int32([*held, 0, 0, 0, 0]) * 65536
    frame = SimpleNamespace(side_data={"DISPLAYMATRIX": matrix.tobytes()})
    assert display_matrix(frame) == turn
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    if turn == (-1, 0, 0, 1):
        assert np.array_equal(upright(picture, turn), picture[:, ::-1])


@pytest.mark.parametrize(("suffix", "sound", "becomes"), [("mp4", "aac", "aac"), ("avi", "pcm_s16le", "aac")])
def test_the_sound_is_kept_as_it_is_or_as_aac(tmp_path, suffix, sound, becomes):
    out, _ = painted(write(tmp_path / f"loud.{suffix}", panned(), sound=sound), tmp_path, compare="compare.mp4")
    for path in (out, tmp_path / "compare.mp4"):
        with av.open(str(path)) as container:
            assert container.streams.audio[0].codec_context.codec.canonical_name == becomes
            samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        assert len(samples) == pytest.approx(0.8 * RATE, abs=2048)
        assert samples[4096:-4096].std() == pytest.approx(0.5 / 2**0.5, rel=0.02)
    with av.open(str(tmp_path / f"loud.{suffix}")) as before, av.open(str(out)) as after:
        packets = [[bytes(p) for p in each.demux(audio=0) if p.size] for each in (before, after)]
    assert (packets[0] == packets[1]) == (sound == becomes)


def test_sound_longer_than_the_picture_is_no_cut(tmp_path):
    source = write(tmp_path / "longsound.mkv", panned(10), sound="aac", seconds=2)
    assert painted(source, tmp_path)[1] == ""


@pytest.mark.parametrize(("suffix", "share"), [("avi", 0.6), ("mkv", 0.6), ("mp4", 0.6), ("mp4", 0.99)])
def test_a_film_cut_short_is_coloured_as_far_as_it_goes(tmp_path, suffix, share):
    whole = write(tmp_path / f"whole.{suffix}", panned(), "mjpeg", "yuvj420p").read_bytes()
    if suffix == "mp4":  # its index, which is at the end, goes first, as in films made for the web
        with (
            av.open(str(tmp_path / "whole.mp4")) as source,
            av.open(str(tmp_path / "web.mp4"), "w", options={"movflags": "faststart"}) as web,
        ):
            track = web.add_stream_from_template(source.streams.video[0], opaque=True)
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = track
                    web.mux(packet)
        whole = (tmp_path / "web.mp4").read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableFile, match=r"cut short after 0\.\d seconds"):
        painted(cut, tmp_path)
    assert share - 0.3 < len(read(tmp_path / "out.mp4")[0]) / FRAMES <= share + 0.1


def test_raw_dv_which_has_a_time_code_and_tells_no_rate_is_coloured(tmp_path):
    out, remark = painted(write(tmp_path / "tape.dv", panned(3, 576, 720), "dvvideo"), tmp_path)
    with av.open(str(out)) as container:
        (track,) = container.streams
        assert (track.frames, track.average_rate, remark) == (3, 25, "")


def test_what_ffmpeg_cannot_put_into_mp4_is_the_trouble_of_that_film_and_not_of_the_disk():
    with pytest.raises(UnreadableFile, match="FFmpeg does not write it as MP4"), said_of("out.mp4"):
        av.error.err_check(-errno.EINVAL)
    with pytest.raises(UserError, match="cannot write out.mp4: .*; make room"), said_of("out.mp4"):
        av.error.err_check(-errno.ENOSPC)


@pytest.mark.parametrize("codec", ["ffv1", "mpeg4"])  # one refuses such a frame, the other shows what it can
def test_damaged_frames_are_counted(tmp_path, codec):
    source = write(tmp_path / "whole.mkv", panned(), codec)
    with av.open(str(source)) as container, av.open(str(tmp_path / "hurt.mkv"), "w") as hurt:
        track = hurt.add_stream_from_template(container.streams.video[0], opaque=True)
        for number, packet in enumerate(container.demux(video=0)):
            if packet.size:
                broken = av.Packet(bytes(packet)[: packet.size // (2 if number in (7, 8) else 1)])
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.is_keyframe, broken.stream = packet.is_keyframe, track
                hurt.mux(broken)
    with pytest.raises(UnreadableFile, match="damaged: 2 of its frames"):
        painted(tmp_path / "hurt.mkv", tmp_path)
    assert len(read(tmp_path / "out.mp4")[0]) >= FRAMES - 2


def test_titles_chapters_and_subtitles_are_kept_and_what_is_not_is_said(tmp_path):
    chapters = [
        {"id": start, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
        for start, end, title in ((0, 300, "One"), (300, 800, "Two"))
    ]
    with av.open(str(tmp_path / "said.mkv"), "w") as container:
        container.metadata.update(title="A film", artist="Me")
        container.set_chapters(chapters)
        picture = container.add_stream("mpeg4", 25, width=WIDTH, height=HEIGHT)
        text, _ = (container.add_mux_stream(codec) for codec in ("srt", "hdmv_pgs_subtitle"))
        text.metadata["language"] = "deu"
        for image_bgr in panned():
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image_bgr, "bgr24")))
        container.mux(picture.encode(None))
        for time, words in ((200, "Grüße <i>an</i> alle"), (600, "Ende"), (600, "daneben")):
            packet = av.Packet(words.encode())
            packet.stream, packet.time_base, packet.pts, packet.dts = text, Fraction(1, 1000), time, time
            packet.duration = 150
            container.mux(packet)
    out, remark = painted(tmp_path / "said.mkv", tmp_path, compare="compare.mp4")
    assert remark == "left out: subtitle (pgssub)"
    for path in (out, tmp_path / "compare.mp4"):
        with av.open(str(path)) as container:
            assert container.metadata["title"] == "A film"
            assert container.metadata["artist"] == "Me"
            kept = [(each["start"] * each["time_base"], each["metadata"]["title"]) for each in container.chapters()]
            assert kept == [(0, "One"), (Fraction(3, 10), "Two")]
            (track,) = container.streams.subtitles
            assert track.metadata["language"] == "deu"
            packets = [packet for packet in container.demux(track) if packet.size > 2]
            assert [float(packet.pts * packet.time_base) for packet in packets] == pytest.approx([0.2, 0.6, 0.6])
            texts = [packet.stream.codec_context.decode2(packet)[0].dialogue.decode() for packet in packets]
            assert [re.sub(r"{.*?}", "", text) for text in texts] == ["Grüße an alle", "Ende", "daneben"]


@pytest.mark.parametrize(
    ("curve", "codes", "grays"),
    [
        ("PQ", [0, 0.15, 0.44, 0.58, 0.75], [0, 8, 93, 149, 204]),
        ("HLG", [0, 0.1, 0.38, 0.75, 1], [0, 10, 83, 168, 254]),
    ],
)
def test_a_film_of_high_dynamic_range_is_tone_mapped(tmp_path, curve, codes, grays):
    """Of PQ the codes are those of 0, 1, 50, 203 and 1000 cd/m2; taken as they are they would be 255 times the code."""
    levels = np.repeat(np.rint(64 + 876 * np.array(codes)).astype(np.uint16), 32)[None].repeat(64, 0)
    with av.open(str(tmp_path / "hdr.mkv"), "w") as container:
        picture = container.add_stream("libx264", 25, {"crf": "1"}, width=160, height=64)
        picture.pix_fmt = "yuv420p10le"
        context = picture.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, {"PQ": 16, "HLG": 18}[curve], 9
        gray = np.full((32, 160), 512, np.uint16)
        frame = av.VideoFrame.from_ndarray(np.vstack([levels, gray]).astype(np.uint16), "yuv420p10le")
        container.mux(picture.encode(frame) + picture.encode(None))
    with open_film(tmp_path / "hdr.mkv") as film:
        (image_bgr,) = film.frames()
    assert np.abs(np.ptp(image_bgr.astype(int), axis=-1)).max() <= 3
    np.testing.assert_allclose(image_bgr[32, 16::32, 1], grays, atol=8)
