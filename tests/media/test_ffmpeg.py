"""The door to ffmpeg: found, checked, run, and never left running."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import re
import sys
import threading
import time

import pytest

from abr_alloc.errors import ToolFailedError, ToolMissingError
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg, look_at_ffmpeg
from abr_alloc.media.programs import find_program, run_program, stop_children


@pytest.fixture
def script(tmp_path):
    """A program that answers as told."""

    def make(body: str, name: str = "ffmpeg") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def fresh():
    """`find_ffmpeg` remembers what it found; these tests look anew."""
    yield


def test_the_bundled_build_can_do_what_is_needed(ffmpeg):
    assert ffmpeg.version
    assert {"libx264", "libx265", "libsvtav1", "aac", "libopus"} <= ffmpeg.encoders
    assert {"libvmaf", "scdet", "signalstats", "scale"} <= ffmpeg.filters


def test_a_path_that_leads_nowhere_is_missing(tmp_path):
    with pytest.raises(ToolMissingError, match=r"no ffmpeg program at .*correct `ffmpeg`") as missing:
        find_ffmpeg(str(tmp_path / "none"))
    assert missing.value.tool == str(tmp_path / "none")


def test_a_folder_or_a_plain_file_is_no_program(tmp_path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ToolMissingError):
            find_ffmpeg(str(path))


@pytest.mark.parametrize("body", ["exit 0", "exit 1", "echo hello", "printf '\\377\\376'", "kill -9 $$"])
def test_another_program_is_no_ffmpeg(script, body):
    with pytest.raises(ToolMissingError):
        find_ffmpeg(script(body))


def test_a_build_without_libvmaf_is_refused(script):
    with pytest.raises(ToolMissingError, match="without libvmaf") as missing:
        find_ffmpeg(script("echo ffmpeg version 7.1 x y"))
    assert missing.value.tool == "libvmaf"


def test_a_build_without_libvmaf_can_be_looked_at(script):
    found = look_at_ffmpeg(script("echo ffmpeg version 7.1 x y"))
    assert found.version == "7.1" and "libvmaf" not in found.filters


def test_a_program_that_never_answers_is_given_up_and_ended(script, tmp_path, monkeypatch):
    monkeypatch.setattr("abr_alloc.media.ffmpeg._ANSWER_S", 0.5)
    pid_file = tmp_path / "pid"
    with pytest.raises(ToolMissingError, match=r"no answer within 0\.5 s"):
        look_at_ffmpeg(script(f"echo $$ > {pid_file}; exec sleep 60"))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_the_environment_names_the_program_unless_a_path_is_given(ffmpeg, fresh, script, monkeypatch):
    monkeypatch.setenv("ABR_ALLOC_FFMPEG", script("exit 1"))
    with pytest.raises(ToolMissingError):
        find_ffmpeg()
    assert find_ffmpeg(ffmpeg.path).path == ffmpeg.path


def test_output_is_returned(ffmpeg):
    raw = ffmpeg.run(["-f", "lavfi", "-i", "color=white:s=4x2:r=1:d=1", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
    assert raw == bytes([255] * 8)


def test_a_failure_carries_command_code_and_message(ffmpeg, tmp_path):
    with pytest.raises(ToolFailedError, match="No such file or directory") as failed:
        ffmpeg.run(["-i", tmp_path / "none.mp4", "-f", "null", "-"])
    assert failed.value.exit_code != 0
    assert failed.value.command[0] == ffmpeg.path
    assert str(tmp_path / "none.mp4") in failed.value.command
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    "run",
    [
        lambda ffmpeg, args, log: ffmpeg.run(args),
        lambda ffmpeg, args, log: ffmpeg.run_and_hear(args, level="info"),
        lambda ffmpeg, args, log: ffmpeg.run_and_tell(args, log),
    ],
    ids=["run", "run_and_hear", "run_and_tell"],
)
@pytest.mark.parametrize("body", ["exit 1", "kill -9 $$"])
def test_no_failure_is_its_own_cause(run, body, ffmpeg, script, tmp_path):
    """Dask's workers follow causes to their end, and would have none."""
    failing = dataclasses.replace(ffmpeg, path=str(script(body)))
    with pytest.raises(ToolFailedError) as failed:
        run(failing, ["-i", "x"], tmp_path / "log")
    causes = [failed.value]
    while causes[-1].__cause__ is not None:
        assert causes[-1].__cause__ not in causes
        causes.append(causes[-1].__cause__)


def test_a_failure_survives_the_way_from_a_worker():
    error = ToolFailedError(["ffmpeg", "-i", "x"], 3, "first\nlast")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (back.command, back.exit_code, back.stderr_tail, str(back)) == (
        error.command,
        error.exit_code,
        error.stderr_tail,
        str(error),
    )


def test_a_program_gets_no_input_and_no_shell(tmp_path):
    program = "import sys; sys.exit(f'{sys.stdin.read()}{sys.argv[1:]}')"
    with pytest.raises(ToolFailedError, match=re.escape("exit code 1: ['$(touch x)', 'a b']")):
        run_program([sys.executable, "-c", program, "$(touch x)", "a b"])


def test_a_program_that_cannot_be_started_has_failed(tmp_path):
    with pytest.raises(ToolFailedError) as failed:
        run_program([tmp_path / "none"])
    assert failed.value.exit_code == -1


def test_programs_are_looked_for_on_the_path(script, tmp_path, monkeypatch):
    script("exit 0", "fdkaac")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("fdkaac") == str(tmp_path / "fdkaac")
    assert find_program("no-such-program") is None


def start_sleeper(tmp_path) -> tuple[threading.Thread, int, list[BaseException]]:
    """A thread that runs a program that would sleep for a minute; its number, and how the thread ended."""
    pid_file = tmp_path / "pid"
    ended: list[BaseException] = []
    program = f"import os, time; open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(60)"

    def run() -> None:
        try:
            run_program([sys.executable, "-c", program])
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return thread, int(pid_file.read_text()), ended


def test_stop_children_ends_what_runs(tmp_path):
    thread, pid, ended = start_sleeper(tmp_path)
    os.kill(pid, 0)  # it runs
    stop_children()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [ToolFailedError]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_children_with_nothing_running_does_nothing():
    stop_children()
    stop_children()


def test_stop_children_may_interrupt_the_thread_that_starts_a_program():
    """A signal handler runs between any two steps of the main thread, also while that holds the list of children."""
    import abr_alloc.media.programs as module

    def handle() -> None:
        module._children_lock.acquire()
        stop_children()
        with contextlib.suppress(RuntimeError):  # released below
            module._children_lock.release()

    thread = threading.Thread(target=handle, daemon=True)
    thread.start()
    thread.join(5)
    blocked = thread.is_alive()
    if blocked:
        module._children_lock.release()
    assert not blocked


def test_require_encoder_gives_the_first_there_is():
    program = FFmpeg(path="/x/ffmpeg", version="1", encoders=frozenset({"aac", "libopus"}), filters=frozenset())
    assert program.require_encoder("libfdk_aac", "aac") == "aac"
    with pytest.raises(ToolMissingError, match=r"has no encoder libx264.*`ffmpeg`") as missing:
        program.require_encoder("libx264")
    assert missing.value.tool == "libx264"
