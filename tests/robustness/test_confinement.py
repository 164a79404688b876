"""Programs are bounded and watched: what asks for too much, or stands still, ends as one error."""

from __future__ import annotations

import re
import shlex
import sys
import time

import pytest

from abr_alloc.errors import ToolFailedError, UnitError
from abr_alloc.media import confinement
from abr_alloc.media.confinement import read_limits
from abr_alloc.media.ffmpeg import INPUT_GUARD
from abr_alloc.media.programs import run, run_program

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and counters are Linux's")
PYTHON = sys.executable


def test_limits_are_far_above_what_encoders_need(monkeypatch):
    monkeypatch.delenv("ABR_ALLOC_LIMITS", raising=False)
    limits = read_limits()
    assert limits.memory_bytes >= 16 << 30
    assert (limits.cpu_s, limits.file_bytes) == (48 * 3600, 64 << 30)
    monkeypatch.setenv("ABR_ALLOC_LIMITS", "cpu=90min, file=1G")
    assert (read_limits().cpu_s, read_limits().file_bytes) == (5400, 1 << 30)


@pytest.mark.parametrize(
    "text", ["cpu", "cpu=1G", "memory=1h", "disk=1G", "memory=-1", "memory=inf", "cpu=1e9s", "x" * 99]
)
def test_limits_that_cannot_be_read_are_named(text, monkeypatch):
    monkeypatch.setenv("ABR_ALLOC_LIMITS", text)
    with pytest.raises(UnitError, match="write memory=16G,cpu=48h,file=64G"):
        read_limits()


@linux
@pytest.mark.parametrize(
    ("limits", "code", "told"),
    [
        ("memory=400M", "b = bytearray(1 << 30); print(len(b))", "MemoryError|failed with exit code 1"),
        ("cpu=1s", "while True: pass", "more processor time than it may"),
        ("file=1M", "open('big', 'wb').write(bytes(1 << 22))", "File too large|larger than it may"),
    ],
)
def test_a_program_that_asks_for_too_much_ends(limits, code, told, monkeypatch, tmp_path):
    monkeypatch.setenv("ABR_ALLOC_LIMITS", limits)
    wait = "import time; time.sleep(0.3)\n"  # limits hold from a moment after the start
    with pytest.raises(ToolFailedError) as failed:
        run((PYTHON, "-c", wait + code), cwd=tmp_path, timeout_s=120)  # a busy machine gives little of a processor
    assert re.search(told, f"{failed.value} {failed.value.stderr_tail}"), failed.value.stderr_tail


@linux
@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", "while True: pass"], ids=["asleep", "going in circles"]
)
def test_a_program_that_stands_still_is_ended(code):
    started = time.monotonic()
    with pytest.raises(ToolFailedError, match="did nothing for 1 s and was ended; allow it longer with `stall_s`"):
        run_program([PYTHON, "-c", code], stall_s=1)
    assert time.monotonic() - started < 20


@linux
def test_a_program_that_gets_on_or_whose_child_does_is_left_alone():
    reads = "import time\nfor _ in range(25): open('/etc/passwd').read(); time.sleep(0.1)"
    run_program([PYTHON, "-c", reads], stall_s=1)
    run_program(["sh", "-c", f"{shlex.quote(PYTHON)} -c {shlex.quote(reads)}; true"], stall_s=1)


@linux
def test_what_a_program_reports_alone_is_no_progress(tmp_path):
    report = tmp_path / "progress"
    code = f"import time\nwhile True: open({str(report)!r}, 'a').write('frame=3\\nfps=1\\n'); time.sleep(0.1)"
    with pytest.raises(ToolFailedError, match="did nothing for 1 s"):
        run((PYTHON, "-c", code), stall_s=1, report=report)


def test_where_nobody_can_tell_a_program_is_not_ended(monkeypatch):
    monkeypatch.setattr(confinement, "_family", lambda pid: [-1])
    run_program([PYTHON, "-c", "import time; time.sleep(2.5)"], stall_s=1)


@linux
def test_an_encoder_that_hangs_is_told_of(run_command, in_threads, ffmpeg, clip, tiny_grid, tmp_path):
    hangs = tmp_path / "ffmpeg"
    real = shlex.quote(ffmpeg.path)
    hangs.write_text(f'#!/bin/sh\ncase "$*" in *libx264*) exec sleep 600;; *) exec {real} "$@";; esac\n')
    hangs.chmod(0o755)
    words = ["extract", clip, "-o", tmp_path / "t.parquet", "--grid", tiny_grid, "--jobs", "1", "--ffmpeg", hangs]
    outcome = run_command(*words, "--stall-timeout", "2s", "--cache", tmp_path / "cache")
    assert outcome.code == 1
    assert "clip.mp4: h264 " in outcome.stderr and "crf=28: " in outcome.stderr
    assert "did nothing for 2 s and was ended" in outcome.stderr
    assert not (tmp_path / "t.parquet").exists()


@linux
def test_a_film_that_takes_too_long_to_decode_ends(
    run_command, in_threads, make_media, tiny_grid, tmp_path, monkeypatch
):
    """A small file can hold hours: here seconds of a processor are all it may have."""
    black = ("lavfi:color=black:size=1280x720:rate=60:duration=2", "-c:v", "libx264", "-preset", "ultrafast")
    looped = ("-stream_loop", "59", "-i", make_media("black.mp4", *black))
    bomb = make_media("bomb.mp4", *looped, "lavfi:anullsrc=r=48000:d=120", "-c:v", "copy", "-shortest", "-c:a", "aac")
    assert bomb.stat().st_size < 3_000_000
    monkeypatch.setenv("ABR_ALLOC_LIMITS", "cpu=1s")
    words = ["extract", bomb, "-o", tmp_path / "t.parquet", "--grid", tiny_grid, "--jobs", "1"]
    outcome = run_command(*words, "--cache", tmp_path / "cache")
    assert outcome.code == 1
    assert "took more processor time than it may" in outcome.stderr
    assert not [*(tmp_path / "cache").glob("scores/*/*.npz")]


def test_ffmpeg_opens_no_demuxer_that_follows_references(ffmpeg, clip, tmp_path):
    script = tmp_path / "list.mp4"
    script.write_text(f"ffconcat version 1.0\nfile {clip}\n")
    with pytest.raises(ToolFailedError):
        ffmpeg.run([*INPUT_GUARD, "-safe", "0", "-i", script, "-f", "null", "-"])
    with pytest.raises(ToolFailedError):
        ffmpeg.run([*INPUT_GUARD, "-f", "concat", "-safe", "0", "-i", script, "-f", "null", "-"])
    ffmpeg.run([*INPUT_GUARD, "-i", clip, "-f", "null", "-"])
