"""Discontinuities and Periods: joined to the frames of all parts, or refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import PackageError
from abr_alloc.media.packets import read_packets
from abr_alloc.packages.reader import read_package

VOD = ("-hls_time", "1", "-hls_playlist_type", "vod")
FMP4 = ("-hls_segment_type", "fmp4")


@pytest.fixture(scope="module")
def playlist_of(package) -> Callable[..., Path]:
    """A media playlist of one stream, or of several that are muxed: `playlist_of("low", *options)`."""
    made: dict[tuple[str, ...], Path] = {}

    def make(*of_and_options: str) -> Path:
        if of_and_options not in made:
            of = tuple(word for word in of_and_options if word in ("low", "high", "mono", "stereo"))
            made[of_and_options] = package("hls", *VOD, *of_and_options[len(of) :], of=of)
        return made[of_and_options]

    return make


def chained(folder: Path, *playlists: Path) -> Path:
    """One playlist that plays several, each behind a discontinuity."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for number, playlist in enumerate(playlists):
        lines += ["#EXT-X-DISCONTINUITY"] if number else []
        for line in playlist.read_text().splitlines():
            if line.startswith("#EXT-X-MAP"):
                line = re.sub('URI="(.*?)"', rf'URI="{playlist.parent.name}/\1"', line)
            elif not line.startswith(("#EXTINF", "#EXT-X-BYTERANGE")):
                line = "" if line.startswith("#") else f"{playlist.parent.name}/{line}"
            lines += [line] if line else []
    path = folder / f"chained{len(list(folder.iterdir()))}.m3u8"
    path.write_text("\n".join([*lines, "#EXT-X-ENDLIST\n"]))
    return path


def written(path: Path, to: Path, within: Path | None = None) -> Path:
    (stream,) = read_package(path, within=within).streams
    out = to / f"out{stream.suffix}"
    stream.write(out)
    return out


@pytest.mark.parametrize("options", [(), FMP4, (*FMP4, "-hls_flags", "single_file")])
def test_parts_whose_clocks_start_anew_join_to_all_their_frames(options, playlist_of, pictures, streams, tmp_path):
    playlist = playlist_of("low", *options)
    path = written(chained(playlist.parent.parent, playlist, playlist, playlist), tmp_path)
    assert pictures(path) == 3 * pictures(streams["low"])
    # Frame after frame at the same distance, and nothing lost between.
    packets = read_packets(path)
    assert len(packets.size_bytes) == 3 * 36
    assert np.diff(np.sort(packets.start_s)) == pytest.approx(1 / 12, abs=1e-4)


@pytest.mark.parametrize("of", [("low",), ("low", "stereo")])
@pytest.mark.parametrize("options", [(), FMP4])
def test_a_discontinuity_through_which_clocks_go_on_changes_nothing(of, options, playlist_of, pictures, tmp_path):
    playlist = playlist_of(*of, *options)
    plain = written(playlist, tmp_path).read_bytes()
    lines = playlist.read_text().splitlines()
    second = [n for n, line in enumerate(lines) if line.startswith("#EXTINF")][1]
    marked = playlist.with_name("marked.m3u8")
    marked.write_text("\n".join([*lines[:second], "#EXT-X-DISCONTINUITY", *lines[second:]]))
    assert written(marked, tmp_path).read_bytes() == plain


def test_bare_frames_lose_the_tag_that_tells_their_time(package, streams, samples, tmp_path):
    playlist = package("segment", "-segment_time", "1", "-segment_list", "a.m3u8", name="%d.aac", of=("stereo",))
    folder = playlist.parent
    tag = b"ID3\4\0\0" + bytes([0, 0, 0, 63]) + b"PRIV" + bytes(59)
    for segment in folder.glob("*.aac"):
        segment.write_bytes(tag + segment.read_bytes())
    out = written(folder / "a.m3u8", tmp_path)
    assert b"ID3" not in out.read_bytes()
    went_in = samples(streams["stereo"])
    np.testing.assert_array_equal(samples(out)[2048:][: len(went_in)], went_in)


@pytest.mark.parametrize(
    ("first", "second", "options", "reason"),
    [
        (("low",), ("high",), (), "the codec's configuration, the size or the clock's rate changes there"),
        (("low",), ("high",), FMP4, "the codec's configuration, the size or the clock's rate changes there"),
        (("low", "stereo"), ("low", "stereo"), (), "where video and audio are muxed a gap or an overlap would remain"),
        (("mono",), ("stereo",), FMP4, "the codec's configuration"),
    ],
)
def test_parts_that_cannot_be_joined_exactly_are_refused(first, second, options, reason, playlist_of, tmp_path):
    parts = [playlist_of(*first, *options), playlist_of(*second, *options)]
    with pytest.raises(
        PackageError, match=f"cannot be joined exactly at a discontinuity or Period: .*{reason}"
    ) as caught:
        written(chained(parts[0].parent.parent, *parts), tmp_path)
    assert "\n" not in str(caught.value)


def test_periods_join_as_discontinuities_do(package, streams, pictures, samples, tmp_path):
    """A manifest of two Periods, written by hand: the same video twice."""
    one = package("dash", "-seg_duration", "1", name="m.mpd", of=("low",))
    text = one.read_text()
    period = re.search("<Period.*</Period>", text, re.DOTALL)[0]
    later = period.replace('start="PT0.0S"', 'start="PT3.0S"').replace('id="0" start', 'id="1" start')
    two = one.with_name("two.mpd")
    two.write_text(
        re.sub('mediaPresentationDuration="[^"]*"', 'mediaPresentationDuration="PT6S"', text).replace(
            period, period + later
        )
    )
    assert pictures(written(two, tmp_path)) == 2 * pictures(streams["low"])
    shorter = one.with_name("shorter.mpd")
    shorter.write_text(two.read_text().replace("PT3.0S", "PT2.5S"))
    with pytest.raises(PackageError, match=r"lasts 3.000 s in Period 1 of 2.500 s, so that a player cuts it"):
        read_package(shorter)
    # Audio begins with samples that an edit list hides: in the middle of a title they would be heard.
    one = package("dash", "-seg_duration", "1", name="m.mpd", of=("mono",))
    text = one.read_text()
    period = re.search("<Period.*</Period>", text, re.DOTALL)[0]
    later = period.replace('start="PT0.0S"', 'start="PT3.0S"')
    one.write_text(text.replace(period, period + later).replace('Duration="PT3.0S"', 'Duration="PT6.0S"'))
    with pytest.raises(PackageError, match="begins there with samples that only prepare its decoder"):
        written(one, tmp_path)


def test_what_went_away_or_is_cut_off_is_refused(playlist_of, tmp_path):
    playlist = playlist_of("high", *FMP4)
    (stream,) = read_package(playlist).streams
    segment = stream.segments[1].media.path
    whole = segment.read_bytes()
    try:
        segment.write_bytes(whole[:100])
        with pytest.raises(PackageError, match="has become shorter; is it still being written"):
            stream.write(tmp_path / "out.mp4")
        segment.unlink()
        with pytest.raises(PackageError, match="cannot be read any more"):
            stream.write(tmp_path / "out.mp4")
        segment.write_bytes(bytes(len(whole)))
        with pytest.raises(PackageError, match="holds no movie fragment"):
            stream.write(tmp_path / "out.mp4")
        segment.write_bytes(b"\0\0\0\3moof" + bytes(len(whole) - 8))
        with pytest.raises(PackageError, match="holds no whole box of MP4 at byte 0"):
            stream.write(tmp_path / "out.mp4")
    finally:
        segment.write_bytes(whole)


def test_data_that_are_found_from_the_beginning_of_a_file_move_with_it(ffmpeg, streams, pictures, tmp_path):
    """As ffmpeg fragments a file by itself; the playlist leaves the first second out."""
    path = tmp_path / "whole.mp4"
    ffmpeg.run(["-i", streams["low"], "-c", "copy", "-movflags", "frag_keyframe+empty_moov", path])
    data = path.read_bytes()
    starts = [found.start() - 4 for found in re.finditer(b"moof", data)]
    ends = [*starts[1:], data.index(b"mfra") - 4]
    assert data[starts[0] :].index(b"tfhd") > 0
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f'#EXT-X-MAP:URI="whole.mp4",BYTERANGE="{starts[0]}@0"']
    for start, end in list(zip(starts, ends, strict=True))[1:]:
        lines += ["#EXTINF:1.0,", f"#EXT-X-BYTERANGE:{end - start}@{start}", "whole.mp4"]
    playlist = tmp_path / "a.m3u8"
    playlist.write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))
    assert pictures(written(playlist, tmp_path)) == pictures(streams["low"])[12:]
