"""A master playlist with other audio groups: what changes, and that nothing else does."""

from __future__ import annotations

import re

import pytest

from abr_alloc.errors import PackageError
from abr_alloc.linting.playlist import read_playlist
from abr_alloc.packages.pairs_rewrite import REWRITTEN, NewPair, group_uris, rewrite_pairs

MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-DATA:DATA-ID="a.b",URI="https://x.org/data.json"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="Audio, main",DEFAULT=YES,URI="a/lo.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="Audio, main",DEFAULT=YES,URI="a/hi.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="fr",LANGUAGE="fr",URI="a/hi fr.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="en",URI="s/en.m3u8"

#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,SCORE=3.1,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=24.000,VIDEO-RANGE=SDR,AUDIO="hi",SUBTITLES="subs",CLOSED-CAPTIONS=NONE
v/low.m3u8
#EXT-X-STREAM-INF:PATHWAY-ID="b",BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,SCORE=3.1,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=24.000,VIDEO-RANGE=SDR,AUDIO="hi",SUBTITLES="subs",CLOSED-CAPTIONS=NONE
copy/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2900000,SCORE=4.1,CODECS="avc1.640028,mp4a.40.5",RESOLUTION=1280x720,AUDIO="lo",X-OWN="a,b=c"
v/top.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001f",URI="v/low-i.m3u8"
"""
LOW, COPY, TOP = 10, 12, 14
LO = NewPair(like_line=TOP, peak_kbps=850.0004, average_kbps=750.0)


def attributes(text: str, line: int) -> dict[str, str]:
    return dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', text.splitlines()[line].partition(":")[2]))


def test_only_what_the_other_audio_changes_is_written_anew() -> None:
    written = rewrite_pairs(MASTER, {LOW: LO})
    assert written.splitlines()[:2] == ["#EXTM3U", REWRITTEN]
    before, after = attributes(MASTER, LOW - 1), attributes(written, LOW)
    assert after.pop("AUDIO") == '"lo"' and before.pop("AUDIO") == '"hi"'
    assert after.pop("BANDWIDTH") == "850001" and before.pop("BANDWIDTH"), "rounded up, so that it bounds"
    assert after.pop("AVERAGE-BANDWIDTH") == "750000" and before.pop("AVERAGE-BANDWIDTH")
    assert after.pop("CODECS") == '"avc1.64001f,mp4a.40.5"' and before.pop("CODECS")
    assert before.pop("SCORE") == "3.1", "pairs may have changed places"
    assert after == before
    old, new = (text.replace(f"{REWRITTEN}\n", "").splitlines() for text in (MASTER, written))
    changed = {number for number, pair in enumerate(zip(old, new, strict=True), 1) if pair[0] != pair[1]}
    assert changed == {LOW, COPY, TOP}, "the redundant variant too; of the other only SCORE goes"
    assert new[TOP - 1] == old[TOP - 1].replace(",SCORE=4.1", "")
    assert attributes(written, COPY)["AUDIO"] == '"lo"' and attributes(written, COPY)["PATHWAY-ID"] == '"b"'


def test_a_variant_that_keeps_its_audio_gets_the_rates_that_were_found() -> None:
    same = NewPair(like_line=LOW, peak_kbps=1000.0, average_kbps=700.0)
    found = attributes(rewrite_pairs(MASTER, {LOW: same}), LOW)
    assert (found["BANDWIDTH"], found["AVERAGE-BANDWIDTH"], found["AUDIO"]) == ("1000000", "700000", '"hi"')
    assert found["CODECS"] == '"avc1.64001f,mp4a.40.2"'


def test_relative_paths_are_led_to_the_old_folder_and_others_stay() -> None:
    written = rewrite_pairs(MASTER, {LOW: LO}, "../pkg/")
    playlist = read_playlist(written.encode())
    assert [variant.uri for variant in playlist.variants] == [
        "../pkg/v/low.m3u8",
        "../pkg/copy/low.m3u8",
        "../pkg/v/top.m3u8",
    ]
    uris = [rendition.attributes["URI"] for rendition in (*playlist.renditions, *playlist.i_frame_streams)]
    assert uris[:3] == ["../pkg/a/lo.m3u8", "../pkg/a/hi.m3u8", "../pkg/a/hi fr.m3u8"]
    assert uris[-1] == "../pkg/v/low-i.m3u8" and 'URI="https://x.org/data.json"' in written


def test_variants_that_are_dropped_are_gone_with_their_redundant_ones() -> None:
    playlist = read_playlist(
        rewrite_pairs(MASTER, {TOP: NewPair(like_line=TOP, peak_kbps=1.0, average_kbps=1.0)}, dropped={LOW}).encode()
    )
    assert [variant.uri for variant in playlist.variants] == ["v/top.m3u8"]
    assert len(playlist.renditions) == 4 and len(playlist.i_frame_streams) == 1
    again = read_playlist(rewrite_pairs(MASTER, {LOW: LO}, dropped={TOP}).encode())
    assert [variant.uri for variant in again.variants] == ["v/low.m3u8", "copy/low.m3u8"]


def test_line_ends_stay() -> None:
    written = rewrite_pairs(MASTER.replace("\n", "\r\n"), {LOW: LO}, "p/")
    assert written.count("\r\n") == written.count("\n") == MASTER.count("\n") + 1


def test_groups_have_their_playlists() -> None:
    assert group_uris(MASTER) == {"lo": ["a/lo.m3u8"], "hi": ["a/hi.m3u8", "a/hi fr.m3u8"]}


def test_a_line_that_is_no_variant_is_refused() -> None:
    for line in (1, LOW + 1, 99):
        with pytest.raises(PackageError, match=f"line {line} of the master playlist is no variant"):
            rewrite_pairs(MASTER, {line: LO})
