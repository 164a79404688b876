"""`abr-alloc encode` of a film in several languages with subtitles: what is delivered, and what is said of the rest."""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path
from xml.etree import ElementTree

import m3u8
import numpy as np
import pytest

from abr_alloc.media.segments import join_segments

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
GERMAN = """1
00:00:00,200 --> 00:00:01,200
eins

2
00:00:01,000 --> 00:01:00,000
zwei
"""
TONES_HZ = {"en": 440, "de": 880, "fr": 1320, "und": 1760}
PAIRS = ("48x28 40 + aac 32", "64x36 60 + aac 48")


def pictures_of_text() -> bytes:
    """A stream of Presentation Graphics without a picture: two display sets of their first and last segments."""
    composition = struct.pack(">HHBHBBBB", 64, 36, 0x10, 0, 0x80, 0, 0, 0)
    parts = [(time, kind, data) for time in (0, 90_000) for kind, data in ((0x16, composition), (0x80, b""))]
    return b"".join(b"PG" + struct.pack(">IIBH", time, 0, kind, len(data)) + data for time, kind, data in parts)


@pytest.fixture(scope="module")
def many(make_media, tmp_path_factory) -> Path:
    """2.4 s: English; German that ends after a second; French commentary; sound of no language. German subtitles, the
    second of which overlaps the first and outlasts the film; English captions; French without a cue; pictures."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "de.srt").write_text(GERMAN)
    (folder / "en.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\n[rain]\n")
    (folder / "fr.vtt").write_text("WEBVTT\n\nNOTE nothing is said\n")
    (folder / "pictures.sup").write_bytes(pictures_of_text())
    (folder / "chapters.txt").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\n")
    lengths_s = {"en": 2.4, "de": 1.0, "fr": 2.4, "und": 2.4}
    tones = [f"lavfi:sine=frequency={hz}:sample_rate=48000:duration={lengths_s[tag]}" for tag, hz in TONES_HZ.items()]
    texts = [word for name in ("de.srt", "en.srt", "fr.vtt") for word in ("-i", folder / name)]
    return make_media(
        "many.mkv",
        *("lavfi:testsrc2=size=64x36:rate=25:duration=2.4", *tones, *texts),
        *("-f", "sup", "-i", folder / "pictures.sup", "-f", "ffmetadata", "-i", folder / "chapters.txt"),
        *(word for number in range(9) for word in ("-map", str(number))),
        *("-map_chapters", "9", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "flac"),
        *("-ac", "2", "-c:s:0", "srt", "-c:s:1", "srt", "-c:s:2", "webvtt", "-c:s:3", "copy"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:2", "language=fre"),
        *("-metadata:s:s:0", "language=ger", "-metadata:s:s:1", "language=eng", "-metadata:s:s:2", "language=fre"),
        *("-metadata:s:s:3", "language=ger", "-disposition:a:0", "default", "-disposition:a:2", "comment"),
        *("-disposition:s:1", "hearing_impaired"),
    )


@pytest.fixture
def encode(run_command, in_threads, write_ladder, tmp_path):
    ladder = write_ladder(*PAIRS, title="many")

    def run(source, *words, folder=tmp_path / "out"):
        words = ("--ladder", ladder, "-o", folder, "--jobs", "1", "--preset", "ultrafast", *words)
        return run_command("encode", source, *words)

    return run


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def everything(encode, many, kept) -> tuple[Path, str]:
    """All of it delivered once, and what was said."""
    if not (kept / "said").exists():
        outcome = encode(many, folder=kept / "out")
        assert outcome.code == 0, outcome.stderr
        (kept / "said").write_text(outcome.stderr)
    return kept / "out", (kept / "said").read_text()


def loudest_hz(ffmpeg, stream: Path, path: Path, start_s: float, end_s: float) -> float:
    """Of a delivered audio stream; 0 for silence."""
    join_segments(stream, path)
    words = ["-i", path, "-af", f"atrim={start_s}:{end_s}", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"]
    samples = np.frombuffer(ffmpeg.run(words), dtype="<f4")
    levels = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(levels) * 48000 / len(samples)) if np.abs(samples).max() > 0.01 else 0.0


def test_nothing_is_left_out_without_a_line(everything):
    lines = [line.partition(".mkv: ")[2] for line in everything[1].splitlines() if ".mkv: " in line]
    assert "audio track 2 (Deutsch, flac, 2 channels) is delivered, too, as 'Deutsch' (dub)" in lines
    commentary = "audio track 3 (Français, flac, 2 channels) is delivered, too, as 'Français (commentary)' (commentary)"
    assert commentary in lines
    assert "audio track 4 (no language told, flac, 2 channels) is delivered, too, as 'Audio 4' (other)" in lines
    assert "audio track 2 (Deutsch) has 1.00 s of sound in 2.40 s; the rest is silence" in lines
    (cut,) = (line for line in lines if "beyond the film" in line)
    assert cut.startswith("subtitle track 1 (Deutsch, srt): 1 cue beyond the film (0 to 2.40 s) cut")
    assert "subtitle track 3 (Français, webvtt) is left out: it has no text" in lines
    (pictures,) = (line for line in lines if "pictures" in line)
    assert pictures.startswith("subtitle track 4 (Deutsch, pgssub) is left out: its subtitles are pictures")
    assert "left out, as nothing here delivers them: 1 chapter" in lines


def test_every_group_has_every_language_once_and_one_default(everything):
    """Read by the m3u8 package."""
    master = m3u8.load(str(everything[0] / "master.m3u8"))
    sounds = [media for media in master.media if media.type == "AUDIO"]
    groups = {variant.stream_info.audio for variant in master.playlists}
    assert groups == {"audio-aac-32k", "audio-aac-48k"}
    told = [("English", "en", "YES", "YES"), ("Deutsch", "de", "NO", "YES")]
    told += [("Français (commentary)", "fr", "NO", "NO"), ("Audio 4", "und", "NO", "NO")]
    for group in groups:
        own = [media for media in sounds if media.group_id == group]
        assert [(m.name, m.language, m.default, m.autoselect) for m in own] == told
        assert own[1].uri == f"{group.replace('-', '/', 1)}-de/index.m3u8"
    texts = [(m.name, m.language, m.forced, m.characteristics) for m in master.media if m.type == "SUBTITLES"]
    hearing = "public.accessibility.describes-music-and-sound,public.accessibility.transcribes-spoken-dialog"
    assert texts == [("Deutsch", "de", "NO", None), ("English (captions)", "en", "NO", hearing)]
    assert {variant.stream_info.subtitles for variant in master.playlists} == {"subtitles"}


def test_bandwidth_covers_the_dearest_language(everything, run_command):
    assert run_command("lint", everything[0] / "master.m3u8").code == 0


def test_a_manifest_says_what_each_set_is_for(everything):
    root = ElementTree.parse(everything[0] / "manifest.mpd").getroot()
    found = [
        (s.get("contentType"), s.get("lang"), s.find("d:Role", NS).get("value"), len(s.findall("d:Representation", NS)))
        for s in root.findall(".//d:AdaptationSet", NS)
        if s.get("contentType") != "video"
    ]
    assert found == [
        *(("audio", "en", "main", 2), ("audio", "de", "dub", 2), ("audio", "fr", "commentary", 2)),
        *(("audio", "und", "alternate", 2), ("text", "de", "subtitle", 1), ("text", "en", "caption", 1)),
    ]
    files = [element.text for element in root.findall(".//d:BaseURL", NS)]
    assert [(everything[0] / name).read_text().splitlines()[0] for name in files] == ["WEBVTT", "WEBVTT"]


@pytest.mark.parametrize(("name", "tag"), [("", "en"), ("-de", "de"), ("-fr-commentary", "fr"), ("-und-other", "und")])
def test_each_language_sounds_as_its_track(ffmpeg, everything, tmp_path, name, tag):
    for rate in ("32k", "48k"):
        stream = everything[0] / f"audio/aac-{rate}{name}"
        assert loudest_hz(ffmpeg, stream, tmp_path / "x.mp4", 0.1, 0.9) == pytest.approx(TONES_HZ[tag], abs=5)
        later = 0 if tag == "de" else TONES_HZ[tag]
        assert loudest_hz(ffmpeg, stream, tmp_path / "x.mp4", 1.3, 2.2) == pytest.approx(later, abs=5)


def test_cues_overlap_as_they_did_and_end_with_the_film(everything):
    text = (everything[0] / "subtitles/de/00001.vtt").read_text()
    cues = re.findall(r"(\S+) --> (\S+)\n(.*)", text)
    assert cues == [("00:00:00.200", "00:00:01.200", "eins"), ("00:00:01.000", "00:00:02.400", "zwei")]
    assert "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000" in text.splitlines()


@pytest.mark.parametrize("name", ["subtitles.vtt", "00001.vtt"])
def test_damaged_subtitles_are_made_again(encode, many, everything, tmp_path, name):
    folder = shutil.copytree(everything[0], tmp_path / "out")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "subtitles/de" / name).write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nanother\n")
    outcome = encode(many, folder=folder)
    assert "subtitles/de is not whole and is encoded again" in outcome.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_one_number_is_all_the_sound_and_languages_choose(encode, many, tmp_path):
    """One track is delivered as it was before there were others: by the same names, with no role told."""
    outcome = encode(many, "--audio-track", "2", "--subtitle-languages", "none", folder=tmp_path / "one")
    assert outcome.code == 0, outcome.stderr
    record = json.loads((tmp_path / "one/delivery.json").read_text())
    assert (record["audio_track"], record["language"], record["label"]) == (2, "de", "Audio")
    assert [audio["name"] for audio in record["audios"]] == ["audio/aac-32k", "audio/aac-48k"]
    assert "subtitles" not in record
    assert "Role" not in (tmp_path / "one/manifest.mpd").read_text()
    assert "audio track 1 (English, flac, 2 channels) is left out, as it was not asked for" in outcome.stderr


def test_a_file_beside_the_source_gives_subtitles(encode, many, tmp_path):
    (tmp_path / "sv.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nhej\n")
    words = ("--audio-languages", "de,en", "--subtitle-languages", "none", "--subtitles", f"sv={tmp_path / 'sv.srt'}")
    assert encode(many, *words).code == 0
    record = json.loads((tmp_path / "out/delivery.json").read_text())
    assert [audio.get("language") for audio in record["audios"]] == [None, None, "de", "de"]
    assert [(text["name"], text["label"]) for text in record["subtitles"]] == [("subtitles/sv", "Svenska")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--audio-languages", "sv"), 1, r"no audio track in sv; its tracks are in en, de, fr, und"),
        (("--audio-languages", "klingonish"), 2, "is no language"),
        (("--audio-track", "1", "--audio-track", "7"), 1, "has 4 audio tracks, and no number 7"),
        (
            ("--audio-track", "1", "--audio-languages", "en"),
            2,
            "--audio-track and --audio-languages exclude",
        ),
        (("--subtitles", "film.srt"), 2, "is no language and file; give them like de=film.de.srt"),
        (("--subtitles", "de=none.srt"), 1, r"none\.srt does not exist; check the path"),
    ],
)
def test_what_is_not_there_is_refused_before_any_work(encode, many, words, code, message, tmp_path):
    outcome = encode(many, *words)
    assert outcome.code == code
    assert re.search(message, " ".join(outcome.stderr.split()))
    assert not (tmp_path / "out").exists()
