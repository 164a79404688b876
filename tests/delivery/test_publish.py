"""What playlists tell is read from the segments, and a folder that is not whole is not published."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.publish import damaged_streams, publish, read_variants
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.formats.delivery_record import read_delivery
from abr_alloc.media.cmaf import read_segments

from ..conftest import CUTS


@pytest.fixture
def copied(delivered, tmp_path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(delivered, tmp_path / "out"))


def variants_of(folder: Path):
    return read_variants(read_delivery(folder / "delivery.json"), folder)


def test_rates_are_of_the_segments_on_disk(delivered):
    for variant in variants_of(delivered):
        for stream in (variant.video, variant.audio):
            sizes = [path.stat().st_size for path in sorted((delivered / stream.name).glob("*.m4s"))]
            assert [segment.size_bytes for segment in stream.timeline.segments] == sizes
            assert stream.timeline.init_bytes == (delivered / stream.name / "init.mp4").stat().st_size
            assert stream.average_bits_per_s == pytest.approx(8 * sum(sizes) / 13.013, rel=2e-3)


def test_the_lead_in_of_a_decoder_is_no_part_of_a_streams_time(delivered):
    """Durations add up to where each segment begins on the player's clock."""
    for variant in variants_of(delivered):
        for stream in (variant.video, variant.audio):
            at, timeline = 0, stream.timeline
            for fragment, segment in zip(read_segments(delivered / stream.name), timeline.segments, strict=True):
                assert at == max(0, fragment.start)
                at += segment.duration
            assert timeline.duration_s == pytest.approx(13.013, abs=1024 / 48000)


def test_rungs_share_their_streams(delivered):
    low, middle, high = variants_of(delivered)
    assert low.audio is middle.audio
    assert high.audio is not middle.audio
    assert [variant.avq_mos for variant in (low, middle, high)] == pytest.approx([3.0, 3.2, 3.4])


def test_a_stream_is_read_where_it_is_said_to_lie(copied, tmp_path):
    name = "video/64x36-40k"
    shutil.move(copied / name, tmp_path / "elsewhere")
    delivery = read_delivery(copied / "delivery.json")
    with pytest.raises(UnsupportedMediaError, match="holds no whole stream"):
        read_variants(delivery, copied)
    assert read_variants(delivery, copied, {name: tmp_path / "elsewhere"})[0].video.name == name


def test_publishing_again_writes_the_same_files(copied):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    publish(read_delivery(copied / "delivery.json"), DeliveryFolder(copied))
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_the_master_playlist_comes_last(copied, monkeypatch):
    """Whatever fails before it, a folder with one is whole."""
    folder = DeliveryFolder(copied)
    folder.unpublish()
    written = []

    def write(path, content, **_):
        written.append(path.name)
        assert "master.m3u8" not in written[:-1]

    monkeypatch.setattr("abr_alloc.delivery.publish.replace_file", write)
    monkeypatch.setattr("abr_alloc.formats.delivery_record.replace_file", write)
    publish(read_delivery(copied / "delivery.json"), folder)
    streams = [*["index.m3u8", "iframes.m3u8"] * 3, *["index.m3u8"] * 2]
    assert written == [*streams, "manifest.mpd", "delivery.json", "master.m3u8"]


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


@pytest.mark.parametrize("stream", ["video/128x72-100k", "audio/aac-64k"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "00002.m4s").unlink(), r"00002\.m4s is missing"),
        (lambda f: (f / "00003.m4s").unlink(), r"holds (video|audio) of 1[12]\.\d\d s, not \1 of 13\.01 s"),
        (lambda f: (f / "init.mp4").unlink(), "holds no whole stream"),
        (lambda f: shutil.rmtree(f), "holds no whole stream"),
        (lambda f: cut(f / "00002.m4s", 0.0), r"00002\.m4s (cannot be read|holds no frame)"),
        (lambda f: cut(f / "00002.m4s", 0.2), r"00002\.m4s (cannot be read|holds no frame|ends within)"),
        (lambda f: cut(f / "00002.m4s", 0.7), r"0000[23]\.m4s (ends within a frame|does not follow)"),
        (lambda f: cut(f / "00002.m4s", 0.9999), r"00002\.m4s ends within a frame; is it whole"),
        (lambda f: cut(f / "00003.m4s", 0.9999), r"00003\.m4s ends within a frame; is it whole"),
        (lambda f: shutil.copy(f / "00001.m4s", f / "00002.m4s"), r"0000[23]\.m4s does not follow the segment before"),
        (lambda f: (f / "00002.m4s").write_bytes(b"\xff" * 5000), r"00002\.m4s (cannot be read|holds no frame)"),
        (lambda f: cut(f / "init.mp4", 0.5), r"0000\d\.m4s (cannot be read|holds no frame|is in a codec)"),
    ],
    ids=["gap", "last", "init", "stream", "empty", "head", "most", "byte", "end", "twice", "noise", "half init"],
)
def test_a_stream_that_is_not_whole_is_named(stream, damage, message, copied):
    damage(copied / stream)
    with pytest.raises(UnsupportedMediaError, match=message) as caught:
        variants_of(copied)
    assert str(copied / stream) in str(caught.value)


def test_a_stream_of_the_other_kind_is_named(copied):
    shutil.rmtree(copied / "video" / "64x36-40k")
    shutil.copytree(copied / "audio" / "aac-64k", copied / "video" / "64x36-40k")
    with pytest.raises(UnsupportedMediaError, match=r"64x36-40k holds audio of 13\.0\d s, not video"):
        variants_of(copied)


def test_a_ladder_whose_pictures_change_in_size_is_published_as_one(free_size):
    """Where one rung changes, all streams are discontinuous; each plays with the initialisation segment of its size."""
    delivery = read_delivery(free_size / "delivery.json")
    variants = read_variants(delivery, free_size)
    changing = variants[-1].video
    assert (changing.width_px, changing.height_px) == (160, 90)
    assert [segment.init for segment in changing.timeline.segments] == ["init.mp4", "init-2.mp4"] * 2
    assert changing.timeline.size_changes_s == [Fraction(frame, 24) for frame in CUTS[1:-1]]
    for variant in variants:
        for stream in (variant.video, variant.audio):
            assert [segment.discontinuity for segment in stream.timeline.segments] == [False, True, True, True]
    codecs = {variant.video.codecs.partition(".")[0] for variant in variants}
    assert codecs == {"avc3"}, "players switch between streams of one sample entry"


def test_a_stream_without_one_of_its_initialisation_segments_is_not_whole(free_size, tmp_path):
    folder = shutil.copytree(free_size, tmp_path / "out")
    next(folder.glob("video/160*/init-2.mp4")).unlink()
    (message,) = damaged_streams(read_delivery(folder / "delivery.json"), DeliveryFolder(folder)).values()
    assert "pictures of 2 sizes and 1 of their initialisation segments" in message
