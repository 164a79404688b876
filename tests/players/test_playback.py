"""What is delivered plays: in hls.js, dash.js and Shaka Player, in a real Chromium, from a real server.

Three witnesses have to agree: what a player says that it plays, what the browser's decoders were given and show, and
what the server was asked for.
"""

from __future__ import annotations

import itertools
import re
import shutil

import pytest

from abr_alloc.media.track_file import stored_stream

HLS, DASH = "master.m3u8", "manifest.mpd"
PLAYED = [("hls.js", HLS), ("shaka", HLS), ("dash.js", DASH), ("shaka", DASH)]

PLAYS = """s.playing && s.playing.join() === args[0].join() && s.height_px === args[1]
    && !s.seeking && s.time_s > args[2].time_s + 0.4
    && s.video_bytes > args[2].video_bytes && s.audio_bytes > args[2].audio_bytes"""
"""A pair plays: it is what the player says, its height is decoded, and time and both decoders have moved on."""


@pytest.fixture(params=["aac", "opus"])
def delivered(request):
    return request.getfixturevalue(f"{request.param}_delivered")


def plays(visit, delivered, pair, since):
    return visit.wait(PLAYS, pair, delivered.height_px(pair), since)


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_every_pair_of_the_ladder_plays_when_it_is_switched_to(visit, delivered, player, playlist):
    page = visit(delivered.folder)
    page.open(player, playlist)
    videos, audios = (dict.fromkeys(names) for names in zip(*delivered.pairs, strict=True))
    expected = delivered.pairs if playlist == HLS else itertools.product(videos, audios)
    assert sorted(page.offered()) == sorted(expected)

    page.play(rate=3)  # what a decoder has already is shown up to the next segment
    page.wait("s.time_s > 0.2")  # a switch during the first append confuses hls.js
    for pair in delivered.pairs[1::2] + delivered.pairs[::2]:  # up and down
        before = page.state()
        if before["time_s"] > delivered.duration_s / 2:  # the next one shall not come to the end while it is fetched
            page.seek(0.3)
            page.play(rate=3)
            before = page.wait("!s.seeking && s.time_s > 0.4 && s.time_s < args[0] / 2", delivered.duration_s)
        page.force(pair)
        plays(page, delivered, pair, before)
    assert page.failures() == []


@pytest.mark.parametrize("number", range(4))
def test_a_pair_asks_for_its_own_streams_and_no_other(visit, aac_delivered, number):
    pair = aac_delivered.pairs[number]
    page = visit(aac_delivered.folder)
    page.open("hls.js", HLS, pair)
    page.play(rate=4)
    plays(page, aac_delivered, pair, page.state() | {"time_s": 0.0})
    # A busy machine may come here before the second segment was asked for, and the player would skip it.
    page.wait("s.buffered.every(({ ranges }) => ranges?.at(-1)?.[1] > args[0] - 0.5)", aac_delivered.duration_s)
    page.seek(aac_delivered.duration_s - 0.5)
    page.wait("s.played_out")
    streams = [path for name in pair for path in (aac_delivered.folder / name).iterdir()]
    # hls.js shows no key frames while one scrubs.
    files = [path.relative_to(aac_delivered.folder) for path in streams if path.name != "iframes.m3u8"]
    assert sorted(path for path, _ in page.asked()) == sorted([HLS, *map(str, files)])
    assert page.failures() == []


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_it_plays_to_its_end_without_a_gap_and_every_segment_at_its_time(visit, delivered, player, playlist):
    """The browser has each segment end where its frames do, edit lists applied: so audio and video are in step."""
    pair = delivered.pairs[0]
    page = visit(delivered.folder)
    page.open(player, playlist, pair)
    page.play(rate=4)
    state = page.wait("s.played_out")
    assert (
        state["frames"] > delivered.num_frames(pair[0]) / 2
    )  # all on an idle machine; a busy one drops some at this rate
    for name, buffered in zip(pair, page.buffered(), strict=True):
        assert buffered["ranges"] == [[0, pytest.approx(delivered.duration_s, abs=0.001)]], name
        assert buffered["offset"] == 0, name
        # A player on a busy machine may fetch and append a segment twice.
        ends_s = sorted({round(end_s, 3) for end_s in buffered["ends"] if end_s})
        assert ends_s == pytest.approx(delivered.ends_s(name), abs=0.001), name
    assert [state["time_s"], state["duration_s"]] == pytest.approx([delivered.duration_s] * 2, abs=0.001)
    assert page.failures() == []


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_it_plays_on_from_anywhere_and_across_cuts(visit, aac_delivered, player, playlist):
    page = visit(aac_delivered.folder)
    page.open(player, playlist, aac_delivered.pairs[1])
    page.play(rate=2)
    page.wait("s.time_s > 0.1")  # Shaka Player forgets a seek that comes before it has begun
    cuts_s = aac_delivered.ends_s(aac_delivered.pairs[1][0])
    for time_s in (cuts_s[1] - 0.2, 3.1, cuts_s[0] - 0.2):
        page.seek(time_s)
        page.wait("!s.seeking && s.time_s > args[0] + 0.4 && s.time_s < args[0] + 3", time_s)
    assert page.failures() == []


@pytest.mark.parametrize(("player", "playlist"), [("shaka", HLS), ("dash.js", DASH)])
def test_a_long_lead_in_moves_no_segment(visit, av1_delivered, player, playlist):
    (pair,) = av1_delivered.pairs
    page = visit(av1_delivered.folder)
    page.open(player, playlist, pair)
    page.play(rate=4)
    page.wait("s.played_out && s.height_px === args[0]", av1_delivered.height_px(pair))
    for name, buffered in zip(pair, page.buffered(), strict=True):
        assert buffered["offset"] == 0, name
        # What a coder pads the end with may play or not.
        assert buffered["ends"][-3:-1] == pytest.approx(av1_delivered.ends_s(name)[:-1], abs=0.001), name


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_streams_of_one_file_play_by_their_bytes(visit, single_delivered, player, playlist):
    """And a variant of audio alone changes nothing for who plays video."""
    pair = single_delivered.pairs[0]
    page = visit(single_delivered.folder)
    page.open(player, playlist, pair)
    assert set(single_delivered.pairs) <= set(page.offered())
    page.play(rate=4)
    page.wait("s.time_s > 0.5 && s.height_px === args[0]", single_delivered.height_px(pair))
    page.seek(single_delivered.duration_s - 1.5)
    page.wait("s.played_out")
    for name, buffered in zip(pair, page.buffered(), strict=True):
        assert buffered["offset"] == 0, name
        known_s = single_delivered.ends_s(name)
        assert all(min(abs(end_s - one) for one in known_s) < 0.001 for end_s in buffered["ends"] if end_s), name
        parts = stored_stream(single_delivered.folder / name).segments
        known = {(part.offset_bytes, part.size_bytes) for part in parts}
        media = {(first, size) for path, first, size in page.ranges() if path == f"{name}/media.mp4"}
        assert len(media & known) >= 2, name
    assert page.failures() == []
    assert not [path for path, status in page.asked() if path.endswith(".mp4") and status == 200]


def damaged(delivered, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(delivered.folder, tmp_path / "damaged")


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_a_segment_cut_short_is_noticed(visit, aac_delivered, tmp_path, player, playlist):
    folder, pair = damaged(aac_delivered, tmp_path), aac_delivered.pairs[0]
    segment = folder / pair[0] / "00002.m4s"
    segment.write_bytes(segment.read_bytes()[:1000])
    page = visit(folder)
    page.open(player, playlist, pair)
    page.play(rate=4)
    with pytest.raises(AssertionError):
        page.wait("s.played_out", timeout_ms=8000)


def test_a_variant_with_another_audio_group_is_noticed(visit, aac_delivered, tmp_path):
    folder, pair = damaged(aac_delivered, tmp_path), aac_delivered.pairs[0]
    master = folder / HLS
    text, changed = re.subn('AUDIO="audio-aac-48k"', 'AUDIO="audio-aac-96k"', master.read_text(), count=1)
    assert changed
    master.write_text(text)
    page = visit(folder)
    page.open("hls.js", HLS, (pair[0], "audio/aac-96k"))
    assert pair not in page.offered()
    page.play()
    with pytest.raises(AssertionError, match="never came to"):
        page.wait(PLAYS, pair, aac_delivered.height_px(pair), page.state(), timeout_ms=2000)
    assert any(path.startswith("audio/aac-96k/") for path, _ in page.asked())
