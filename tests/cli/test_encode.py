"""`abr-alloc encode` as a person runs it: odd sources, odd names, and what it refuses before any work."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.probe import content_hash
from abr_alloc.media.programs import find_program
from abr_alloc.media.segments import join_segments

FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p")
PICTURE = "lavfi:testsrc2=size=96x64:rate=25:duration=2"
TONE = "lavfi:sine=f=500:r=48000:d=2"
STEREO = ("-ac", "2", "-c:a", "aac")


@pytest.fixture(scope="module")
def short(make_media) -> Path:
    """2 s: 96x64, stereo."""
    return make_media("short.mp4", PICTURE, TONE, *FAST, *STEREO)


def without_short_note(outcome):
    """An outcome without the line that two seconds are too short to hold a rate (tests/delivery/test_hold.py)."""
    lines = [line for line in outcome.stderr.splitlines(keepends=True) if "too short for an encoder" not in line]
    return dataclasses.replace(outcome, stderr="".join(lines))


@pytest.fixture
def encode(run_command, in_threads, tmp_path):
    """Encode into `tmp_path / "out"`."""

    def run(source, ladder, *words):
        words = ("--ladder", ladder, "-o", tmp_path / "out", "--jobs", "1", *words)
        return without_short_note(run_command("encode", source, *words))

    return run


def streams(folder: Path) -> dict[str, Path]:
    return {str(path.parent.relative_to(folder)): path.parent for path in sorted(folder.rglob("init.mp4"))}


def record(folder: Path) -> dict:
    return json.loads((folder / "delivery.json").read_text())


def attribute(text: str, name: str) -> list[str]:
    return [a or b for a, b in re.findall(rf'[:,]{name}=(?:"([^"]*)"|([^",\s]+))', text)]


# What is written.


def test_the_folder_holds_playlists_a_manifest_a_record_and_the_streams_alone(delivered):
    assert sorted(path.name for path in delivered.iterdir()) == [
        *("audio", "delivery.json", "manifest.mpd", "master.m3u8", "video")
    ]
    for name, folder in streams(delivered).items():
        playlists = ["iframes.m3u8", "index.m3u8"] if name.startswith("video") else ["index.m3u8"]
        assert sorted(path.name for path in folder.iterdir()) == [
            *("00001.m4s", "00002.m4s", "00003.m4s", *playlists, "init.mp4")
        ]


def test_the_table_shows_predicted_and_measured_rates(encode, short, write_ladder, tmp_path):
    outcome = encode(short, write_ladder("48x32 60 + aac 32", "96x64 120 + aac 32"))
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0] == "film: 2 video and 1 audio renditions"
    assert re.match(r" +1  48x32-60k +aac-32k  3\.00 +94 +\d+ +\d+$", lines[3])
    assert f"abr-alloc verify {tmp_path / 'out'}" in outcome.stdout.replace("\n", " ").replace("  ", "")


def test_the_master_playlist_has_the_ladders_pairs_and_their_measured_rates(delivered):
    """Rates are computed here from sizes and EXTINF, after RFC 8216: every segment but the last is a run by itself,
    and the last one, of 1 s, only together with the one before it."""
    text = (delivered / "master.m3u8").read_text()
    uris = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [Path(uri).parent.name for uri in uris] == ["64x36-40k", "128x72-100k", "128x72-160k"]
    infos = [line for line in text.splitlines() if line.startswith("#EXT-X-STREAM-INF")]
    groups = dict(zip(attribute(text, "GROUP-ID"), attribute(text, "URI"), strict=False))  # then I-frames
    assert groups == {"audio-aac-32k": "audio/aac-32k/index.m3u8", "audio-aac-64k": "audio/aac-64k/index.m3u8"}
    played = [attribute(line, "AUDIO")[0] for line in infos]
    assert played == ["audio-aac-32k", "audio-aac-32k", "audio-aac-64k"]
    assert [attribute(line, "SCORE")[0] for line in infos] == ["3.000", "3.200", "3.400"]
    assert {attribute(line, "FRAME-RATE")[0] for line in infos} == {"23.976"}
    assert [attribute(line, "RESOLUTION")[0] for line in infos] == ["64x36", "128x72", "128x72"]
    for uri, line in zip(uris, infos, strict=True):
        peaks, means, codecs = [], [], []
        for playlist in (delivered / uri, delivered / groups[attribute(line, "AUDIO")[0]]):
            seconds = [float(x) for x in re.findall(r"#EXTINF:([\d.]+),", playlist.read_text())]
            sizes = [8 * path.stat().st_size for path in sorted(playlist.parent.glob("*.m4s"))]
            assert len(sizes) == 3
            assert seconds[2] < 3 < seconds[0]
            runs = [sizes[0] / seconds[0], sizes[1] / seconds[1], sum(sizes[1:]) / sum(seconds[1:])]
            peaks.append(max(runs))
            means.append(sum(sizes) / sum(seconds))
            codecs.append(read_segments(playlist.parent)[0].codecs)
        assert float(attribute(line, "BANDWIDTH")[0]) == pytest.approx(sum(peaks), abs=1.1)
        assert float(attribute(line, "AVERAGE-BANDWIDTH")[0]) == pytest.approx(sum(means), abs=1.1)
        assert attribute(line, "CODECS") == [",".join(codecs)]


@pytest.mark.parametrize(
    ("tag", "words", "language"),
    [
        ("eng", (), "en"),
        ("ger", (), "de"),
        ("", (), "und"),
        ("qqq~", (), "und"),
        ("eng", ("--language", "pt-BR"), "pt-BR"),
        ("", ("--language", "fre"), "fr"),
    ],
)
def test_the_language_is_the_sources_or_as_asked(tag, words, language, encode, make_media, write_ladder, tmp_path):
    source = make_media("tagged.mkv", PICTURE, TONE, *FAST, *STEREO, "-metadata:s:a", f"language={tag}")
    assert encode(source, write_ladder("96x64 120 + aac 32"), *words).code == 0
    assert attribute((tmp_path / "out" / "master.m3u8").read_text(), "LANGUAGE") == [language]
    assert f'lang="{language}"' in (tmp_path / "out" / "manifest.mpd").read_text()


@pytest.mark.parametrize("language", ["", "e", "english!", "en\n", 'x"y', "zzz"])
def test_what_is_no_language_is_refused(language, encode, short, write_ladder, tmp_path):
    outcome = encode(short, write_ladder("96x64 120 + aac 32"), "--language", language)
    assert outcome.code == 2
    assert "is no language; give a tag like en, de or pt-BR" in outcome.error_line()
    assert not (tmp_path / "out").exists()


def test_a_name_of_the_audio_may_hold_anything(encode, short, write_ladder, tmp_path):
    assert encode(short, write_ladder("96x64 120 + aac 32"), "--audio-name", 'A "B"\n#C,=ü').code == 0
    assert attribute((tmp_path / "out" / "master.m3u8").read_text(), "NAME") == ["A 'B' #C,=ü"]


@pytest.mark.parametrize(("rate", "audio"), [("50", "aac 48"), ("60", "aac 48"), ("30", "heaac 48"), ("25", "opus 48")])
def test_what_is_delivered_passes_lint_at_any_frame_rate(
    rate, audio, encode, make_media, write_ladder, run_command, tmp_path
):
    """An audio coder's lead-in (21 to 105 ms) is longer than a frame of video. Of segments of 2 s, few seconds have
    three; that they are not of 6 s is all that lint may say."""
    if audio.startswith("heaac") and find_program("fdkaac") is None:
        pytest.skip("no fdkaac")
    source = make_media(
        "rate.mkv",
        f"lavfi:testsrc2=size=96x64:rate={rate}:duration=5",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.1*random(0)|0.1*random(1):s=48000:d=5",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "flac"),
    )
    assert encode(source, write_ladder(f"48x32 60 + {audio}", f"96x64 150 + {audio}"), "--segment", "2s").code == 0
    found = json.loads(run_command("lint", tmp_path / "out", "--json").stdout)["findings"]
    assert {finding["rule"] for finding in found} == {"7.5", "7.6"} | ({"2.3"} if audio.startswith("opus") else set())


def test_all_codecs_stand_beside_each_other(encode, short, write_ladder, tmp_path):
    ladder = write_ladder("96x64 100 + aac 32", "hevc 96x64 140 + opus 48", "av1 96x64 180 + aac 64")
    assert encode(short, ladder).code == 0
    codecs = attribute((tmp_path / "out" / "master.m3u8").read_text(), "CODECS")[:3]  # then I-frames
    kinds = sorted(tuple(part.partition(".")[0] for part in text.split(",")) for text in codecs)
    assert kinds == [("av01", "mp4a"), ("avc1", "mp4a"), ("hvc1", "opus")]
    assert sorted(streams(tmp_path / "out")) == [
        *("audio/aac-32k", "audio/aac-64k", "audio/opus-48k"),
        *("video/96x64-100k", "video/av1-96x64-180k", "video/hevc-96x64-140k"),
    ]


# Odd sources.


def decoded(folder: Path, tmp_path: Path) -> list[np.ndarray]:
    join_segments(folder, tmp_path / "joined.mp4")
    with av.open(str(tmp_path / "joined.mp4")) as container:
        return [frame.to_ndarray() for frame in container.decode(container.streams[0])]


def test_a_rotated_film_of_odd_size_is_delivered_upright(encode, make_media, write_ladder, tmp_path):
    """Stored lying, white at the end that belongs on top; 97x65 becomes 64x96, with sound of 44.1 kHz in 5.1."""
    lying = make_media(
        "lying.mp4",
        "lavfi:color=black:size=97x65:rate=25:duration=2,drawbox=x=0:w=30:color=white:t=fill",
        "lavfi:sine=f=500:r=44100:d=2",
        *("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", "-af", "pan=5.1|c0=c0|c1=c0|c2=c0", "-c:a", "aac"),
    )
    source = make_media("rotated.mp4", "-display_rotation", "-90", "-i", lying, "-c", "copy")
    assert encode(source, write_ladder("64x96 150 + aac 64")).code == 0
    frames = decoded(tmp_path / "out" / "video" / "64x96-150k", tmp_path)
    luma = frames[0][:96, :64].astype(float)
    assert (luma[:25].mean(), luma[-25:].mean()) == pytest.approx((235, 16), abs=8)
    (sound,) = {(f.channels, f.sample_rate_hz) for f in read_segments(tmp_path / "out" / "audio" / "aac-64k")}
    assert sound == (2, 48000)


def test_a_film_of_varying_frame_rate_is_delivered_at_a_constant_one(encode, make_media, write_ladder, tmp_path):
    """Every other frame of the second half is missing."""
    source = make_media(
        *("varying.mkv", "lavfi:testsrc2=size=96x64:rate=30:duration=4", "lavfi:sine=f=500:r=48000:d=4"),
        *("-vf", "select='lt(t,2)+not(mod(n,2))'", "-fps_mode", "vfr", *FAST, *STEREO),
    )
    assert encode(source, write_ladder("96x64 120 + aac 32")).code == 0
    found = record(tmp_path / "out")
    (fragment,) = read_segments(tmp_path / "out" / "video" / "96x64-120k")
    assert fragment.num_frames == found["num_frames"]
    assert fragment.num_frames / Fraction(found["fps"]) == pytest.approx(4.0, abs=0.1)
    steps = {Fraction(tick, fragment.timescale) for tick in fragment.idr}
    assert steps == {0, round(2 * Fraction(found["fps"])) / Fraction(found["fps"])}


def test_a_mono_film_can_be_delivered_in_stereo_and_in_mono(encode, make_media, write_ladder, tmp_path):
    source = make_media("mono.mkv", PICTURE, TONE, *FAST, "-c:a", "pcm_s16le")
    assert encode(source, write_ladder("96x64 100 + aac mono 32", "96x64 150 + aac 64")).code == 0
    assert {name: read_segments(f)[0].channels for name, f in streams(tmp_path / "out").items() if "aac" in name} == {
        "audio/aac-32k-mono": 1,
        "audio/aac-64k": 2,
    }
    levels = [np.abs(frames).max() for frames in decoded(tmp_path / "out" / "audio" / "aac-64k", tmp_path)[10:40]]
    assert max(levels) == pytest.approx(0.125, rel=0.1)  # lavfi's sine has an amplitude of 1/8: none of it is lost


def test_sound_that_ends_early_goes_on_as_silence(encode, make_media, write_ladder, tmp_path):
    source = make_media("early.mkv", PICTURE, "lavfi:sine=f=500:r=48000:d=0.5", *FAST, *STEREO)
    assert encode(source, write_ladder("96x64 100 + aac 32")).code == 0
    last = read_segments(tmp_path / "out" / "audio" / "aac-32k")[-1]
    assert last.end / last.timescale == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    "name", ["with space & 'quotes' \"two\".mp4", "-dash.mp4", "co:lon.mp4", "per%03dcent.mp4", "ü[1]*$Number$.mp4"]
)
def test_any_file_and_folder_name_will_do(name, short, write_ladder, run_command, in_threads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(short, name)
    output = name.removesuffix(".mp4")
    words = ("--ladder", write_ladder("96x64 120 + aac 32", title=output), f"-o{output}", "--jobs", "1", "--", name)
    outcome = without_short_note(run_command("encode", *words))
    assert (outcome.code, outcome.stderr) == (0, "")
    assert record(Path(output))["source"] == f"../{name}"
    assert list(streams(Path(output))) == ["audio/aac-32k", "video/96x64-120k"]


# Which ladder.


def test_the_ladder_is_found_by_hash_before_name_and_by_title_before_both(encode, short, write_ladder, tmp_path):
    pairs = {name: (f"96x64 {kbps} + aac 32",) for name, kbps in (("short", 100), ("by hash", 120), ("é 'x'", 140))}
    digest = content_hash(short)
    by_hash = write_ladder(titles=pairs, hashes={"by hash": digest, "short": "0", "é 'x'": "1"})
    assert "video/96x64-120k" in (encode(short, by_hash), streams(tmp_path / "out"))[1]
    shutil.rmtree(tmp_path / "out")
    assert "video/96x64-100k" in (encode(short, write_ladder(titles=pairs)), streams(tmp_path / "out"))[1]
    shutil.rmtree(tmp_path / "out")
    assert encode(short, by_hash, "--title", "é 'x'").code == 0
    assert record(tmp_path / "out")["title"] == "é 'x'"
    assert "video/96x64-140k" in streams(tmp_path / "out")


def test_an_unknown_title_is_refused_with_those_there_are(encode, short, write_ladder, tmp_path):
    ladder = write_ladder(titles=dict.fromkeys("abcdefg", ("96x64 100 + aac 32",)))
    for words, what in (((), "no ladder for short.mp4"), (("--title", "x"), "no ladder for 'x'")):
        outcome = encode(short, ladder, *words)
        assert outcome.code == 1
        assert outcome.error_line() == f"error: {ladder} has {what}; choose one with --title: a, b, c, d, e, ..."
    assert not (tmp_path / "out").exists()


def test_a_ladder_of_another_file_serves_with_a_warning(encode, short, write_ladder, tmp_path):
    outcome = encode(short, write_ladder("96x64 100 + aac 32", hashes={"film": "0" * 64}))
    assert outcome.code == 0
    assert outcome.error_line("WARNING").endswith("rates are kept, but predicted AVQ is that file's")


# What is refused.


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (("192x128 100 + aac 32",), r"rung 1 of 'film' is 192x128, larger than \S+ \(96x64\); .*--max-height"),
        (("48x32 60 + aac 32", "96x54 100 + aac 32"), r"rung 2 of 'film' is 96x54, of another shape .* design the"),
        (("96x64 100 + aac mono 32",), r"rung 1 of 'film' has mono audio, but \S+ has 2 channels; design the ladder"),
        (("96x64 100 + dts 64",), r"rung 1 of 'film' is in dts, which is not encoded here"),
    ],
    ids=["larger", "shape", "mono", "codec"],
)
def test_a_ladder_that_does_not_fit_is_refused_by_rung(pairs, message, encode, short, write_ladder, tmp_path):
    outcome = encode(short, write_ladder(*pairs))
    assert outcome.code == 1
    assert re.search(message, outcome.error_line())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": {"width_px": 95}}, "95x64"),
        ({"video": {"codec": ["h264"]}}, "codec"),
        ({"video": {"codec": "theora"}}, "theora"),
        ({"audio": {"channels": 6}}, "6 channels"),
        ({"audio": {"channels": "2"}}, "channels"),
        ({"audio": {"target": 5}}, "target"),
        ({"audio": {"target": "b=much"}}, "much"),
        ({"audio": {"target": "-y /etc/x"}}, "'-y /etc/x' is audio"),
    ],
    ids=str,
)
def test_a_ladder_edited_by_hand_is_refused_before_any_work(changes, message, encode, short, write_ladder, tmp_path):
    document = json.loads(write_ladder("96x64 100 + aac 32").read_text())
    for kind, fields in changes.items():
        document["ladders"][0]["rungs"][0][kind] |= fields
    (tmp_path / "edited.json").write_text(json.dumps(document))
    outcome = encode(short, tmp_path / "edited.json")
    assert outcome.code == 1
    assert message in outcome.error_line()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((PICTURE, *FAST), "has no audio track; a ladder's rungs are pairs"),
        ((TONE, *STEREO), "has no video track; a ladder's rungs are pairs"),
        ((PICTURE, TONE, "-t", "0.5", *FAST, *STEREO), "holds 0.5. s of video; at least 1 s are needed"),
    ],
    ids=["silent", "sound alone", "too short"],
)
def test_a_source_that_is_no_film_is_refused(words, message, encode, make_media, write_ladder, tmp_path):
    outcome = encode(make_media("odd.mkv", *words), write_ladder("96x64 100 + aac 32"))
    assert outcome.code == 1
    assert re.search(message, outcome.error_line())
    assert not (tmp_path / "out").exists()


def test_a_source_or_ladder_that_is_not_there_is_refused(encode, short, write_ladder, tmp_path):
    assert "does not exist" in encode(tmp_path / "none.mp4", write_ladder("96x64 100 + aac 32")).error_line()
    assert "does not exist; make it with `abr-alloc ladder`" in encode(short, tmp_path / "none.json").error_line()
    (tmp_path / "other.json").write_text("{}")
    assert "is not a ladder file" in encode(short, tmp_path / "other.json").error_line()
    assert not (tmp_path / "out").exists()


def test_the_folder_may_not_be_a_file(encode, short, write_ladder, tmp_path):
    (tmp_path / "out").write_text("mine")
    outcome = encode(short, write_ladder("96x64 100 + aac 32"))
    assert (outcome.code, outcome.error_line()) == (2, f"error: {tmp_path / 'out'} is a file; give a folder with -o")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_of_something_else_is_left_alone(encode, short, write_ladder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    outcome = encode(short, write_ladder("96x64 100 + aac 32"))
    assert outcome.code == 1
    assert outcome.error_line() == f"error: {tmp_path / 'out'} is not empty; choose another -o, or empty it"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("what", ["ladder", "preset", "source", "language"])
def test_a_finished_folder_takes_no_other_order(what, film, film_ladder, delivered, short, write_ladder, run_command):
    before = {path: path.stat().st_mtime_ns for path in delivered.rglob("*")}
    ladder = write_ladder("64x36 40 + aac 32") if what == "ladder" else film_ladder
    source = film
    if what == "source":
        source, ladder = short, write_ladder("96x64 100 + aac 32")
    words = {"preset": ("--preset", "slow"), "language": ("--language", "fr")}.get(what, ())
    outcome = run_command("encode", source, "--ladder", ladder, "-o", delivered, *words)
    assert outcome.code == 1
    start = f"error: {delivered} holds a delivery with another {what}"
    assert outcome.error_line() == f"{start}; choose another -o, or empty it"
    assert {path: path.stat().st_mtime_ns for path in delivered.rglob("*")} == before


def test_two_encodes_do_not_share_a_folder(encode, short, write_ladder, tmp_path):
    (tmp_path / "out" / ".abr-alloc").mkdir(parents=True)
    with (tmp_path / "out" / ".abr-alloc" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = encode(short, write_ladder("96x64 100 + aac 32"))
    assert outcome.code == 1
    assert outcome.error_line() == f"error: another abr-alloc is at work in {tmp_path / 'out'}; wait for it to end"


def test_a_folder_where_a_run_got_no_further_than_its_lock_is_gone_on_with(encode, short, write_ladder, tmp_path):
    (tmp_path / "out" / ".abr-alloc").mkdir(parents=True)
    (tmp_path / "out" / ".abr-alloc" / "lock").touch()
    assert encode(short, write_ladder("96x64 100 + aac 32")).code == 0
    assert not (tmp_path / "out" / ".abr-alloc").exists()


def test_names_that_are_no_text_will_do(encode, short, write_ladder, tmp_path):
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    shutil.copy(short, source)
    outcome = encode(source, write_ladder("96x64 100 + aac 32"), "--audio-name", os.fsdecode(b"caf\xe9"))
    assert (outcome.code, outcome.stderr) == (0, "")
    assert attribute((tmp_path / "out" / "master.m3u8").read_text(), "NAME") == ["caf"]
