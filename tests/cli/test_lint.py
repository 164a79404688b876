"""`lint`: exit codes, text in 80 columns, and the JSON object of docs/formats.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.fixture
def master(make_hls, tmp_path, monkeypatch) -> Path:
    shutil.copytree(make_hls().parent, tmp_path / "stream")
    monkeypatch.chdir(tmp_path)
    return Path("stream/master.m3u8")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_stream_ends_with_0(run_command, master):
    outcome = run_command("lint", master)
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == ["stream/master.m3u8", "2 variants, 4 media playlists, 12 segments"]
    assert re.fullmatch(r"\d+ rules: \d+ passed", lines[2])
    assert len(lines) == 3


def test_a_broken_must_ends_with_1(run_command, master):
    edit(master, ',LANGUAGE="en"', "")
    outcome = run_command("lint", master)
    assert outcome.code == 1
    assert "8.10  MUST: EXT-X-MEDIA has LANGUAGE" in outcome.stdout
    assert "master.m3u8:5: EXT-X-MEDIA has no LANGUAGE; add" in outcome.stdout


def test_a_broken_should_is_a_warning(run_command, master):
    edit(master, "#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    outcome = run_command("lint", master)
    assert outcome.code == 0
    assert "9.11  SHOULD" in outcome.stdout
    assert "1 should be corrected:" in outcome.stdout


@pytest.mark.parametrize("path", ["absent.m3u8", "stream/video"])
def test_what_is_no_playlist_is_a_usage_error(run_command, master, path):
    outcome = run_command("lint", path)
    assert outcome.code == 2
    assert path in outcome.error_line()


def test_a_folder_stands_for_its_master_playlist(run_command, master):
    assert run_command("lint", "stream").stdout == run_command("lint", "stream/master.m3u8").stdout


def test_a_media_playlist_alone_is_said_in_one_line(run_command, master):
    outcome = run_command("lint", "stream/video/96/index.m3u8")
    assert outcome.code == 0
    assert "a media playlist alone: rules on variants need the master playlist, 3 segments" in outcome.stdout
    assert re.search(r"\d+ passed, \d+ not checked", outcome.stdout)


def test_json_is_as_documented(run_command, master):
    edit(master, ',LANGUAGE="en"', "")
    edit(master, "video/64/index.m3u8", "https://example.com/index.m3u8")
    outcome = run_command("lint", master, "--json")
    assert outcome.code == 1
    document = json.loads(outcome.stdout)
    assert (document["schema_version"], document["command"], document["kind"]) == (1, "lint", "master")
    assert document["path"] == "stream/master.m3u8"
    assert document["counts"]["num_must"] == 2
    assert document["findings"][0]["rule"] == "8.10"
    assert document["not_checked"] == ["https://example.com/index.m3u8: remote, and nothing is fetched"]
    page = FORMATS.read_text(encoding="utf-8").partition("## `lint --json`")[2].partition("\n## ")[0]
    fields = {*document, *document["counts"], *document["findings"][0], *document["rules"][0]}
    assert {field for field in fields if f"`{field}`" not in page} == set()


def test_text_takes_80_columns_and_no_control_characters(run_command, master):
    edit(master, "FRAME-RATE=12.000,", "")
    edit(master, "video/64/index.m3u8", "video/%1b[31m64/index.m3u8")
    edit(Path("stream/audio/96k/index.m3u8"), "EXTINF:", "EXTINF:1")
    outcome = run_command("lint", master)
    assert outcome.code == 1
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert "\x1b" not in outcome.stdout


def test_many_places_of_one_rule_are_cut_in_text_and_not_in_json(run_command, master):
    playlist = Path("stream/video/96/index.m3u8")
    edit(playlist, "#EXT-X-ENDLIST", "#EXTINF:2.0,\nabsent.m4s\n" * 30 + "#EXT-X-ENDLIST")
    for n, line in enumerate(playlist.read_text().splitlines()):
        if line == "absent.m4s":
            edit_at(playlist, n, f"absent-{n}.m4s")
    assert "and 20 more (--json)" in run_command("lint", master).stdout
    document = json.loads(run_command("lint", master, "--json").stdout)
    assert sum(finding["rule"] == "HLS 3" for finding in document["findings"]) == 30


def edit_at(path: Path, index: int, line: str) -> None:
    lines = path.read_text().splitlines()
    lines[index] = line
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 1000,
        bytes(range(256)) * 100,
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist.m3u8\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:18446744073709551615\n" + b"#EXTINF:0.000001,\nplaylist.m3u8\n" * 2000,
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,FRAME-RATE=0,RESOLUTION=1x1,SCORE=0\n\xff\n",
        b"#EXTM3U\n#EXT-X-STREAM-INF:" + b"A" * 100_000 + b"=1\n" + b"../" * 10_000 + b"x\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n/dev/zero\n#EXTINF:6,\n" + b"a" * 5000 + b"\n",
    ],
    ids=["empty", "zeros", "bytes", "itself", "numbers", "not UTF-8", "long", "device"],
)
def test_hostile_playlists_end_with_findings(run_command, tmp_path, data):
    path = tmp_path / "playlist.m3u8"
    path.write_bytes(data)
    outcome = run_command("lint", path)
    assert outcome.code == 1
    assert "must be corrected" in outcome.stdout
    assert outcome.stderr == ""
    json.loads(run_command("lint", path, "--json").stdout)


def test_the_command_starts_without_heavy_libraries():
    heavy = ["torch", "scipy", "pandas", "pyarrow", "sklearn", "matplotlib"]
    code = (
        f"import sys, abr_alloc.cli.lint, abr_alloc.linting.findings; print([n for n in {heavy} if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
