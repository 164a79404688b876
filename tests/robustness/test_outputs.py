"""Where `-o` may lead: devices, pipes, links, long names and names that are no text; and what a killed run left."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from abr_alloc.cli.printing import cut, printable
from abr_alloc.partial import owner_name, partial_name
from abr_alloc.table.spreadsheet import csv_text
from abr_alloc.writing import is_written_through, replace_file, write_bytes

ENTRY_POINT = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
PLAN = ("--budget", "1M", "-o")
FORMATS = ["txt", "json", "csv", "parquet"]


def read_later(path: Path) -> tuple[threading.Thread, list[bytes]]:
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    reader.start()
    return reader, found


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_pipe_gets_what_a_file_would(suffix, run_command, example, tmp_path):
    pipe, file = tmp_path / f"pipe.{suffix}", tmp_path / f"file.{suffix}"
    os.mkfifo(pipe)
    reader, found = read_later(pipe)
    words = ("plan", example, *PLAN)
    options = ["--json"] if suffix == "json" else ["--csv"] if suffix == "csv" else []
    assert run_command(*words, pipe, *options).code == 0
    assert run_command(*words, file, *options).code == 0
    reader.join(10)
    assert found == [file.read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("command", ["plan", "ladder", "relevance", "report"])
def test_a_device_stays_one(command, run_command, example, tmp_path):
    names = {"plan": "null.parquet", "ladder": "null.json", "relevance": "null.png", "report": "null.html"}
    device = tmp_path / names[command]
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.write_bytes(b"x")
    except OSError:
        pytest.skip("this container makes no devices")
    budget = ["--budget", "1M"] if command in ("plan", "relevance") else []
    outcome = run_command(command, example, *budget, "-o", device)
    assert outcome.code == 0, outcome.stderr
    assert stat.S_ISCHR(device.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == [device.name]


def test_a_link_is_followed(run_command, example, tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "plans.csv")
    for _ in range(2):
        assert run_command("plan", example, *PLAN, link).code == 0
        assert link.is_symlink()
        assert (tmp_path / "real" / "plans.csv").read_text().startswith("title,")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["plans.csv"]


def test_what_takes_no_file_is_refused_before_any_work(run_command, example, tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none" / "plans.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(tmp_path)  # a socket's name is short
        bound.bind("socket")
        for name, reason in (
            ("socket", "it is a socket"),
            ("round", "Too many levels of symbolic links"),
            ("nowhere", "there is no folder"),
            (".", "it is a folder"),
            ("x" * 300, "File name too long"),
        ):
            outcome = run_command("plan", example, *PLAN, tmp_path / name)
            assert outcome.code == 1
            assert reason in outcome.error_line(), name
        assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_the_names_of_open_files_are_written_through(example):
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        words = [*ENTRY_POINT, "plan", str(example), "--budget", "1M", "--json", "-o", name]
        done = subprocess.run(words, capture_output=True, check=True)
        assert json.loads(done.stdout)["plans"], name
    assert is_written_through(Path("/dev/null"))


@pytest.mark.parametrize("suffix", ["txt", "csv", "parquet", "png"])
@pytest.mark.parametrize("name", [b"caf\xe9", b"x" * 240, "\u540d".encode() * 80], ids=["latin-1", "long", "wide"])
def test_every_name_that_a_file_may_have_will_do(name, suffix, run_command, example, tmp_path):
    output = tmp_path / os.fsdecode(name + b"." + suffix.encode())
    command = ("relevance", example) if suffix == "png" else ("plan", example, "--budget", "1M")
    outcome = run_command(*command, "-o", output)
    assert outcome.code == 0, outcome.stderr
    assert output.stat().st_size
    assert not [path for path in tmp_path.iterdir() if "~" in path.name]


def test_a_half_done_file_has_a_name_that_fits():
    for name in ("x.csv", "x" * 251 + ".csv", "\u540d" * 83 + ".mp4"):
        partial = partial_name(Path("/folder") / name)
        assert len(os.fsencode(partial.name)) <= 255
        assert partial.suffix == Path(name).suffix
        assert partial != partial_name(Path("/folder") / f"y{name[1:]}")


def test_what_a_killed_run_left_beside_an_output_goes_with_the_next(run_command, example, tmp_path):
    host = owner_name().partition("~")[0]
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [tmp_path / f".{host}~{gone.pid}~9.{name}" for name in ("plans.parquet", "0.plans.parquet", "other.csv")]
    kept = [tmp_path / f".{host}~{os.getpid()}~9.other.csv", tmp_path / ".hidden", tmp_path / ".elsewhere~1~2.x.csv"]
    for path in (*left, *kept):
        path.write_bytes(b"half")
    assert run_command("plan", example, *PLAN, tmp_path / "plans.parquet").code == 0
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in kept)
    for path in left:
        path.write_bytes(b"half")
    replace_file(tmp_path / "x.txt", b"")
    assert not [path for path in left if path.exists()]


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "plans.csv"
    path.write_bytes(b"")
    path.chmod(0o640)
    write_bytes(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


AUDITED = ("--title", "documentary-nasa-jwst-270p", "--network", "lognormal:median=300k,sigma=0.9")
AUDIT_HEAD = "video_codec,width_px,height_px,video_kbps,video_target,audio_codec,audio_kbps"


@pytest.fixture
def shipped(tmp_path):
    path = tmp_path / "shipped.csv"
    path.write_text(f"{AUDIT_HEAD}\nh264,426,240,25k,,aac,128k\nh264,480,270,230k,,aac,192k\n")
    return path


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet"])
def test_a_pipe_gets_the_audit_that_a_file_would(suffix, run_command, example, shipped, tmp_path):
    pipe, file = tmp_path / f"pipe.{suffix}", tmp_path / f"file.{suffix}"
    os.mkfifo(pipe)
    reader, found = read_later(pipe)
    for output in (pipe, file):
        outcome = run_command("audit", example, "--ladder", shipped, *AUDITED, "-o", output)
        assert outcome.code == 0, outcome.stderr
    reader.join(10)
    assert found == [file.read_bytes()]


def test_an_audit_is_of_files_and_prints_no_escapes(run_command, example, shipped, tmp_path):
    os.mkfifo(tmp_path / "pipe.m3u8")
    (tmp_path / "round.mpd").symlink_to(tmp_path / "round.mpd")
    for name in ("pipe.m3u8", "round.mpd", "x" * 300 + ".csv", "x" * 300 + ".m3u8", "x" * 300):
        outcome = run_command("audit", example, "--ladder", tmp_path / name)
        assert (outcome.code, len(outcome.stderr.splitlines())) == (1, 1), name
        assert outcome.error_line()
    assert run_command("audit", tmp_path / ("x" * 300), "--ladder", shipped).error_line()
    shipped.write_text(f"{AUDIT_HEAD}\nh264,426,240,25k,\x1b[31m\u202ex,aac,128k\n", encoding="utf-8")
    outcome = run_command("audit", example, "--ladder", shipped, *AUDITED)
    assert outcome.stdout + outcome.stderr == printable(outcome.stdout + outcome.stderr)


# Text from outside, on a terminal and in a spreadsheet.


def test_nothing_that_a_terminal_obeys_is_printed(run_command, example, tmp_path):
    evil = "\x1b]0;owned\x07\x1b[31m\u202egnp.exe\x9b2J\r"
    frame = pd.read_parquet(example)
    for column in ("title", "target"):
        frame[column] = frame[column].str.slice(0, 8) + evil
    from abr_alloc.table.table import FeatureTable, read_features, write_features

    table = read_features(example)
    path = tmp_path / f"t{evil.replace('/', '')}.parquet"
    write_features(FeatureTable(frame, table.metadata), path)
    for words in (
        ("plan", path, "--budget", "1M"),
        ("plan", path, "--budget", "1M", "--per", "title"),
        ("plan", path, "--budget", "1k"),
        ("-v", "plan", path, "--budget", "1M"),
        ("ladder", path),
        ("relevance", path),
        ("plan", f"{path}x", "--budget", "1M"),
        ("plan", path, "--budget", "1M", "--model", evil),
        ("plan", path, "--budget", "1M", "--title", evil),
    ):
        outcome = run_command(*words)
        said = outcome.stdout + outcome.stderr
        assert said == printable(said), words
        assert "\n\n\n" not in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b1m", r"\x9b1m"),
        ("a\u202eb", r"a\u202eb"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("line\nbreak\tand caf\u00e9 \u540d", "line\nbreak\tand caf\u00e9 \u540d"),
    ],
)
def test_what_is_escaped(text, shown):
    assert printable(text) == shown


def test_an_error_line_is_cut(run_command, example):
    outcome = run_command("plan", example, "--budget", "1M", "--title", "x" * 1_000_000)
    assert len(outcome.error_line()) < 2200
    assert cut("y" * 10) == "y" * 10


def test_formulas_are_text_in_csv_and_exact_elsewhere(run_command, example, tmp_path):
    from abr_alloc.table.table import FeatureTable, read_features, write_features

    table = read_features(example)
    titles = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\tx", "'quoted", "plain"]
    rows = table.frame[table.frame["title"] == table.frame["title"].iloc[0]]
    frame = pd.concat([rows.assign(title=title) for title in titles]).reset_index(drop=True)
    path = tmp_path / "t.parquet"
    write_features(FeatureTable(frame, table.metadata), path)
    found = pd.read_csv(pd.io.common.StringIO(run_command("plan", path, "--budget", "1M", "--csv").stdout))
    assert {*found["title"]} == {"'=cmd|' /C calc'!A0", "'+1+1", "'-2", "'@SUM(A1)", "'\tx", "'quoted", "plain"}
    assert found["avq_mos"].dtype.kind == "f"
    assert run_command("plan", path, "--budget", "1M", "-o", tmp_path / "p.parquet").code == 0
    assert {*pd.read_parquet(tmp_path / "p.parquet")["title"]} == {*titles}
    exact = json.loads(run_command("plan", path, "--budget", "1M", "--json").stdout)["plans"]
    assert {plan["title"] for plan in exact} == {*titles}


def test_csv_through_a_pipe_is_exact(run_command, example, tmp_path):
    from abr_alloc.table.table import FeatureTable, read_features, write_features

    table, title = read_features(example), "a\x1b[31m\u202eb"
    rows = table.frame[table.frame["title"] == table.frame["title"].iloc[0]].assign(title=title)
    path = tmp_path / "t.parquet"
    write_features(FeatureTable(rows.reset_index(drop=True), table.metadata), path)
    for words in (("plan", path, "--budget", "1M", "--csv"), ("ladder", path, "--csv")):
        assert title in run_command(*words).stdout, words


def test_numbers_stay_numbers():
    rows = pd.DataFrame({"=name": ["a"], "x": [-1.5], "n": [-3], "none": [None]})
    assert csv_text(rows) == "'=name,x,n,none\na,-1.5,-3,\n"
