"""Starved surroundings: no home, no shared memory, no room, no memory, no terminal; and every way to be ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abr_alloc.measure.cache import Cache, default_cache_dir
from abr_alloc.media import ffmpeg as ffmpeg_module

ENTRY_POINT = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
NOBODY = """
import pwd
def nobody(*_):
    raise KeyError("getpwuid(): uid not found: 54321")
pwd.getpwuid = pwd.getpwnam = nobody
"""
NO_SEMAPHORES = """
import _multiprocessing
class Refused:
    SEM_VALUE_MAX = 1
    def __init__(self, *_):
        raise OSError(38, "Function not implemented")
_multiprocessing.SemLock = Refused
"""
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))
"""


def command(*words: object, before: str = "", env: dict | None = None, redirect: str = "", **settings):
    """Run the command in a process of its own, after some Python; `redirect` is the shell's word for streams."""
    script = before + "\nfrom abr_alloc.cli import main\nif __name__ == '__main__':\n    main()\n"
    line = [sys.executable, "-c", script, *map(str, words)]
    if redirect:
        line = ["sh", "-c", f'exec "$@" {redirect}', "sh", *line]
    settings = {"capture_output": True, "text": True, "check": False, "timeout": 120} | settings
    return subprocess.run(line, env=env or {**os.environ}, **settings)


@pytest.mark.parametrize(
    "words",
    [("plan", "--budget", "1M"), ("report", "-o", "r.html"), ("relevance", "-o", "r.png"), ("doctor",)],
    ids=lambda words: words[0],
)
def test_a_user_without_a_home_or_a_name(words, forks, example, tmp_path):
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    env = {n: v for n, v in env.items() if not n.startswith("XDG_")} | {"ABR_ALLOC_SCRATCH": str(tmp_path / "scratch")}
    del env["ABR_ALLOC_CACHE"]
    name, *options = words
    features = [] if name == "doctor" else [example]
    done = forks.run(name, *features, *options, before=NOBODY, env=env, cwd=tmp_path)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0 or name == "doctor"


def test_without_a_home_measurements_lie_in_the_scratch_folder(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ABR_ALLOC_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("ABR_ALLOC_SCRATCH", str(tmp_path))
    assert default_cache_dir() == tmp_path / "cache"


def test_without_shared_memory_threads_do_the_work(forks, clip, tiny_grid, tmp_path):
    words = ["extract", clip, "--grid", tiny_grid, "--jobs", "2", "-o"]
    done = forks.run(*words, tmp_path / "a.parquet", "--cache", tmp_path / "a", before=NO_SEMAPHORES)
    assert done.returncode == 0, done.stderr
    assert "writable /dev/shm" in done.stderr and "Traceback" not in done.stderr
    assert forks.run(*words, tmp_path / "b.parquet", "--cache", tmp_path / "b").returncode == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [["plan", "--json"], ["plan"], ["ladder"], ["--help"]], ids=" ".join)
def test_a_stdout_that_takes_nothing_is_told(words, forks, example):
    if words[0] == "plan":
        words = ["plan", example, "--budget", "1M", *words[1:]]
    elif words[0] == "ladder":
        words = ["ladder", example]
    done = forks.run(*words, redirect={1: "/dev/full"})
    assert done.stderr == "error: stdout cannot be written: No space left on device\n"
    assert done.returncode == 1


def of_a_plan(example: Path, folder: Path) -> list[list[object]]:
    """Words of a plan that is written, and of one that fails."""
    return [["plan", example, "--budget", "1M", "-o", folder / "p.csv"], ["plan", example, "--budget", "1k"]]


@pytest.mark.parametrize("redirect", [{1: None}, {2: None}, {1: None, 2: None}], ids=str)
def test_a_closed_terminal_is_no_traceback(redirect, forks, example, tmp_path):
    for words in of_a_plan(example, tmp_path):
        done = forks.run(*words, redirect=redirect)
        assert done.returncode in (0, 3), (redirect, done)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize("redirect", ["<&- >&- 2>&-", "2>/dev/full"])
def test_nor_is_a_start_of_python_with_streams_that_are_none(redirect, example, tmp_path):
    for words in of_a_plan(example, tmp_path):
        done = command(*words, redirect=redirect)
        assert done.returncode in (0, 3), (redirect, done)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_an_encoding_without_a_character_is_no_failure(example):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = command("plan", example, "--budget", "1M", env=env)
    assert done.returncode == 0, done.stderr


def test_too_little_memory_is_told_in_a_line(example):
    # Too little for a library: of what remains later, libraries that start threads or abort themselves decide.
    done = command("plan", example, "--budget", "1M", before=LIMITED.format(160 << 20))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_pipe_is_no_source(run_command, tmp_path):
    os.mkfifo(tmp_path / "film.mp4")
    outcome = run_command("extract", tmp_path / "film.mp4", "-o", tmp_path / "t.parquet")
    assert outcome.code == 1
    assert "no regular file but a pipe, socket or device; write it to a file first" in outcome.error_line()


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "PIPE", "--budget", "1M"],
        ["evaluate", "attentive", "PIPE"],
        ["train", "PIPE", "-o", "model"],
        ["encode", "CLIP", "--ladder", "PIPE", "-o", "out"],
        ["export", "--to", "csv", "--ladder", "PIPE"],
        ["ladder", "EXAMPLE", "--network", "PIPE"],
        ["plan", "EXAMPLE", "--budget", "1M", "--model", "."],
        ["extract", "CLIP", "-o", "t.parquet", "--grid", "PIPE"],
        ["lint", "PIPE"],
        ["verify", "."],
    ],
    ids=" ".join,
)
def test_no_reader_waits_at_a_pipe(words, run_command, clip, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suffix = {"--network": ".csv", "--grid": ".toml"}.get(words[-2], "")
    names = [f"pipe{suffix}", "model.json", "delivery.json"]
    for name in names:
        os.mkfifo(name)
    found = {"PIPE": names[0], "CLIP": clip, "EXAMPLE": example}
    outcome = run_command(*(found.get(word, word) for word in words))
    assert outcome.code in (1, 2)
    outcome.error_line()


@pytest.mark.parametrize("name", [b"caf\xe9.mp4", b"a\nb\x1b[31m.mp4", b"x" * 251 + b".mp4", b"=cmd.mp4"], ids=repr)
def test_a_source_may_have_any_name(name, run_command, in_threads, clip, tiny_grid, tmp_path):
    source = tmp_path / os.fsdecode(name)
    shutil.copy(clip, source)
    words = ["extract", source, "--grid", tiny_grid, "--jobs", "1", "--cache", tmp_path / "cache", "--keep-encodes"]
    outcome = run_command(*words, "-o", tmp_path / "t.parquet")
    assert outcome.code == 0, outcome.stderr
    outcome = run_command("plan", tmp_path / "t.parquet", "--budget", "400k", "--json")
    assert outcome.code == 0, outcome.stderr
    outcome.stdout.encode("ascii")


def test_a_cache_that_is_deleted_meanwhile_is_told(run_command, in_threads, clip, tiny_grid, tmp_path, monkeypatch):
    real = ffmpeg_module.run

    def run(command, **settings):
        if "libvmaf" in " ".join(command) and (tmp_path / "cache").exists() and not told:
            told.append(True)
            shutil.rmtree(tmp_path / "cache")
        return real(command, **settings)

    told: list[bool] = []
    words = ["extract", clip, "--grid", tiny_grid, "--jobs", "1", "--cache", tmp_path / "cache", "-o"]
    monkeypatch.setattr(ffmpeg_module, "run", run)
    outcome = run_command(*words, tmp_path / "t.parquet")
    assert told and outcome.code == 1
    assert "was removed while it was in use; run the same command again" in outcome.error_line()
    assert run_command(*words, tmp_path / "t.parquet").code == 0


# A disk that is really full, in a mount of its own.


def small_disk(size: str, *words: object, fill: bool = False, before: str = "") -> subprocess.CompletedProcess:
    """Run the command where /mnt is a disk of that size."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root mounts a small disk")
    mount = f"mount -t tmpfs -o size={size} tmpfs /mnt"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this container mounts no small disk")
    fill_it = "head -c 1G /dev/zero >/mnt/zeros 2>/dev/null;" if fill else ""
    line = ["unshare", "-m", "sh", "-c", f'{mount}; {fill_it} {before} exec "$@"', "sh", *ENTRY_POINT, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("size", ["24k", "64k", "128k", "200k"])
def test_a_full_cache_is_told_and_nothing_false_is_kept(size, clip, tiny_grid, tmp_path):
    words = ["extract", clip, "-o", tmp_path / "t.parquet", "--grid", tiny_grid, "--jobs", "1", "--cache", "/mnt/cache"]
    done = small_disk(size, *words)
    if done.returncode == 0:
        assert size == "200k"  # which may be room enough
        return
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    assert "/mnt/cache" in line and ("takes no more" in line or "No space left" in line or "was cut off" in line), line
    assert not (tmp_path / "t.parquet").exists()


def test_a_full_folder_for_temporary_files_is_told(clip, tiny_grid, tmp_path):
    words = [
        "extract",
        clip,
        "-o",
        tmp_path / "t.parquet",
        "--grid",
        tiny_grid,
        "--jobs",
        "1",
        "--cache",
        tmp_path / "c",
    ]
    done = small_disk(
        "24k", *words, fill=True, before="unset ABR_ALLOC_SCRATCH; export TMPDIR=/mnt ABR_ALLOC_SCRATCH=/mnt/x;"
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "/mnt" in done.stderr.splitlines()[-1], done.stderr


def test_a_full_disk_under_an_output_leaves_nothing(example):
    done = small_disk("24k", "plan", example, "--budget", "1M", "-o", "/mnt/p.parquet", fill=True)
    assert done.returncode == 1
    assert "/mnt" in done.stderr and "make room" in done.stderr and len(done.stderr.splitlines()) == 1


# Ways to be ended.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_every_signal_cleans_up(number, forks, make_media, tiny_grid, tmp_path):
    moving = ("lavfi:testsrc2=size=320x180:rate=24:duration=2", "-preset", "ultrafast", "-crf", "30")
    looped = ("-stream_loop", "14", "-i", make_media("moving.mp4", *moving, "-c:v", "libx264", "-pix_fmt", "yuv420p"))
    film = make_media("half_minute.mp4", *looped, "lavfi:sine=f=500:r=48000:d=30", "-c:v", "copy", "-c:a", "aac")
    cache = tmp_path / "cache"
    words = [
        "extract",
        film,
        "-o",
        tmp_path / "t.parquet",
        "--grid",
        tiny_grid,
        "--cache",
        cache,
        "--preset",
        "veryslow",
    ]
    restore = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    running = forks.start(*words, before=restore, new_session=True)
    until_s = time.monotonic() + 60
    while not list(cache.glob("work/*/.*~*.encode.mp4")):
        assert running.poll() is None and time.monotonic() < until_s
        time.sleep(0.02)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert said.strip() == f"error: {word}; run the same command again to go on where it stopped"
    assert not list(Cache(cache).root.glob("work/*")) and not list(cache.glob("*/.*~*"))
    with pytest.raises(ProcessLookupError):  # nothing of its group runs on
        while time.monotonic() < until_s:
            os.killpg(running.pid, 0)
            time.sleep(0.05)


def test_a_run_that_ignores_the_end_of_its_terminal_goes_on(forks, example, tmp_path):
    before = "import signal, os; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.kill(os.getpid(), signal.SIGHUP)"
    assert forks.run("plan", example, "--budget", "1M", "-o", tmp_path / "p.csv", before=before).returncode == 0
