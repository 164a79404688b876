"""Size and shape are those of the frames that filters get: cropped, turned, square; not too small, not too large."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import probe

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv444p")


def board(size: str, cell: int = 16) -> str:
    """Squares of 16 pixels, black and white."""
    cells = f"lum='if(mod(floor(X/{cell})+floor(Y/{cell})\\,2)\\,235\\,16)':cb=128:cr=128"
    return f"lavfi:color=black:size={size}:rate=25:duration=1,format=yuv444p,geq={cells}"


def luma(ffmpeg, info) -> np.ndarray:
    """The first normalised frame."""
    raw = ffmpeg.run(
        [*source_input(info), "-map", f"0:{info.video_index}", "-vf", f"{video_chain(info)},extractplanes=y"]
        + ["-frames:v", "1", "-f", "rawvideo", "-"]
    )
    return np.frombuffer(raw, np.uint8).reshape(info.height_px, info.width_px).astype(int)


def vint(data: bytes, at: int) -> tuple[int, int]:
    """Value and length of an EBML number (RFC 8794, 4)."""
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + length], "big"), length


def with_elements(data: bytes, path: list[int], more: bytes) -> bytes:
    """A Matroska file with elements added at the end of one that lies at a path of identifiers."""
    out, at = b"", 0
    while at < len(data):
        name, n = vint(data, at)
        size, m = vint(data, at + n)
        size -= 1 << (7 * m)
        body = data[at + n + m :] if size == (1 << (7 * m)) - 1 else data[at + n + m : at + n + m + size]
        if name == path[0]:
            inner = with_elements(body, path[1:], more) if len(path) > 1 else body + more
            out += data[at : at + n] + (1 << 56 | len(inner)).to_bytes(8, "big") + inner
        else:
            out += data[at : at + n + m] + body
        at += n + m + len(body)
    return out


def test_a_containers_crop_is_applied_and_nothing_is_stretched_back(ffmpeg, make_media) -> None:
    whole = make_media("board.mkv", board("192x128"), *X264)
    path = whole.with_name("cropped.mkv")
    # PixelCropTop 16, PixelCropBottom 8, PixelCropLeft 32 (RFC 9559, 5.1.4.1.28), in Segment / Tracks / entry / Video.
    crop = bytes.fromhex("54BB8110 54AA8108 54CC8120")
    path.write_bytes(with_elements(whole.read_bytes(), [0x18538067, 0x1654AE6B, 0xAE, 0xE0], crop))
    info = probe(path, ffmpeg)
    assert (info.width_px, info.height_px) == (160, 104)
    assert np.abs(luma(ffmpeg, info) - luma(ffmpeg, probe(whole, ffmpeg))[16:120, 32:]).max() <= 1


@pytest.mark.parametrize("degrees", [13, 45, -30, 100])
def test_a_turn_that_is_no_quarter_keeps_the_sides_and_is_told(ffmpeg, make_media, degrees) -> None:
    upright = make_media("upright-board.mp4", board("192x128"), *X264)
    path = make_media(f"turned{degrees}.mp4", "-display_rotation", str(degrees), "-i", upright, "-c", "copy")
    info = probe(path, ffmpeg)
    assert (info.width_px, info.height_px) == (192, 128)
    assert any(f"turned by {degrees} degrees" in note for note in info.notes)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_quarter_turns_are_undone(ffmpeg, make_media, degrees, turns) -> None:
    corner = "lavfi:color=black:size=192x128:rate=25:duration=1,format=yuv444p,drawbox=w=32:h=32:c=white:t=fill"
    upright = make_media("corner.mp4", corner, *X264)
    path = make_media(f"quarter{degrees}.mp4", "-display_rotation", str(degrees), "-i", upright, "-c", "copy")
    info = probe(path, ffmpeg)
    expected = np.rot90(luma(ffmpeg, probe(upright, ffmpeg)), turns)
    assert np.abs(luma(ffmpeg, info) - expected).max() <= 2
    assert info.notes == ()


@pytest.mark.parametrize("size", ["192x2", "192x16", "16x192"])
def test_what_is_too_small_for_libvmaf_is_refused(ffmpeg, make_media, size) -> None:
    path = make_media(f"small-{size}.mkv", f"lavfi:testsrc2=size={size}:rate=25:duration=1", "-c:v", "ffv1")
    with pytest.raises(UnsupportedMediaError, match=f"is {size}, smaller than the 18 pixels a side"):
        probe(path, ffmpeg)


def test_the_smallest_that_is_taken_can_be_measured(ffmpeg, make_media, tmp_path) -> None:
    from abr_alloc.measure.video import score_frames

    path = make_media("smallest.mkv", "lavfi:testsrc2=size=192x18:rate=5:duration=1", "-c:v", "ffv1")
    assert probe(path, ffmpeg).height_px == 18
    scores = score_frames(ffmpeg, [["-i", path], ["-i", path]], "format=yuv420p", "format=yuv420p", tmp_path)
    assert len(scores.values) == 5


def test_a_very_large_picture_is_refused_unless_it_is_allowed(ffmpeg, make_media) -> None:
    path = make_media(
        "large.mkv", "lavfi:color=blue:size=8192x6144:rate=1:duration=1", "-c:v", "libx264", "-preset", "ultrafast"
    )
    with pytest.raises(UnsupportedMediaError, match=r"8192x6144, 50 megapixels, more than the 40 .*`max_pixels`"):
        probe(path, ffmpeg)
    assert probe(path, ffmpeg, max_pixels=60_000_000).width_px == 8192


def test_what_pixels_that_are_not_square_make_of_it_counts(ffmpeg, make_media) -> None:
    path = make_media("flat.mkv", "lavfi:testsrc2=size=64x64:rate=5:duration=1", "-vf", "setsar=1/8", *X264)
    with pytest.raises(UnsupportedMediaError, match="is 8x64, smaller"):
        probe(path, ffmpeg)


def test_a_slide_show_is_refused_by_its_rate(ffmpeg, make_media) -> None:
    path = make_media("slides.mp4", "lavfi:testsrc2=size=96x64:rate=1/100:duration=400", *X264)
    with pytest.raises(UnsupportedMediaError, match="a new picture every 100 s; at least 1 frame per second"):
        probe(path, ffmpeg)


def test_a_long_gap_is_refused_and_a_short_one_told(ffmpeg, make_media) -> None:
    for gap_s in (5, 1000):
        chain = f"lavfi:testsrc2=size=96x64:rate=25:duration=3,setpts='PTS+gte(N\\,50)*{gap_s}/TB'"
        path = make_media(f"gap{gap_s}.mkv", chain, "-fps_mode", "vfr", *X264)
        if gap_s == 5:
            info = probe(path, ffmpeg)
            assert info.fps == 25
            assert any("for 5.00 s in all" in note and "from 1.96 to 7.00 s" in note for note in info.notes)
        else:
            with pytest.raises(UnsupportedMediaError, match=r"no new frame from 1\.96 to 1002\.00 s"):
                probe(path, ffmpeg)
