"""Commands in processes of their own, at a hundredth of a second instead of a whole one.

A server imports once what commands import, starts no thread, and forks for each command: one's own process, with its
own streams, folder, environment and signals, that ends as Python does. What a start of Python itself does (reading
`PYTHONIOENCODING`, closed streams, which modules are imported) is nothing for it: start the script for that.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

RUN_COMMAND = "from abr_alloc.cli import main; main()"
IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from abr_alloc.workers.local import LocalWorkers
LocalWorkers._start = staticmethod(ThreadPoolExecutor)
"""
"""Before a command: what works for it are threads of its own process, which do not start and compile anew."""
PACKAGES = ("allocation", "cli", "delivery", "formats", "linting", "measure", "media", "models", "runs", "table")
OTHERS = (
    "concurrent.futures.process",
    "pandas",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "rich.console",
    "rich.table",
)
"""What the server imports: packages of this project, and what their functions import when they are called."""
NOT_IMPORTED = ("comparison_files", "report_run", "study_files")  # with them come torch, matplotlib and Altair


class Started:
    """A process that runs: as `subprocess.Popen` with pipes, which are files here."""

    def __init__(self, status: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self._status, self._stdout, self._stderr = status, stdout, stderr
        self._said = b""
        self.returncode: int | None = None
        self.peak_kib = 0
        """Largest resident memory, once it has ended."""
        while b"\n" not in self._said:
            self._read(None)
        self.pid = int(self._said.split(b"\n")[0])

    def _read(self, timeout_s: float | None) -> bool:
        if not select.select([self._status], [], [], timeout_s)[0]:
            return False
        part = os.read(self._status, 4096)
        assert part, "the server of forks is gone"
        self._said += part
        return True

    def poll(self) -> int | None:
        """The exit code, negative where a signal ended it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until_s = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            if self._said.count(b"\n") == 2:
                code, peak = self._said.split(b"\n")[1].split()
                self.returncode, self.peak_kib = int(code), int(peak)
                os.close(self._status)
            elif not self._read(None if until_s is None else max(0.0, until_s - time.monotonic())):
                raise subprocess.TimeoutExpired("abr-alloc", timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said on stdout and on stderr, once it has ended."""
        self.wait(timeout)
        said = []
        for stream in (self._stdout, self._stderr):
            stream.seek(0)
            said.append(io.TextIOWrapper(stream).read())
        return said[0], said[1]


class ForkServer:
    """A process that has imported everything and forks: one for each process of the tests."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True
            )

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(
        self,
        *words: object,
        code: str = RUN_COMMAND,
        before: str = "",
        env: dict[str, str] | None = None,
        cwd: str | Path | None = None,
        terminal: int | None = None,
        redirect: dict[int, str | None] | None = None,
        new_session: bool = False,
        imports: tuple[str, ...] = (),
    ) -> Started:
        """Run `abr-alloc` with these words, after some Python (`before`); or other Python (`code`) instead.

        Its streams are files, or all three a `terminal`; `redirect` gives streams, by number, another file to write
        to, or closes them (None). The server imports `imports` first, once and for all.
        """
        about = {
            "imports": imports,
            "argv": ["-c", *map(str, words)],
            "code": f"{before}\n{code}",
            "env": dict(os.environ) if env is None else env,
            "cwd": str(Path.cwd() if cwd is None else cwd),
            "redirect": {} if redirect is None else redirect,
            "new_session": new_session,
        }
        stdout, stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - they are `Started`'s
        status, their_status = os.pipe()
        with tempfile.TemporaryFile() as request, Path(os.devnull).open("rb") as nothing:
            request.write(json.dumps(about).encode())
            request.flush()
            streams = [nothing.fileno(), stdout.fileno(), stderr.fileno()] if terminal is None else [terminal] * 3
            socket.send_fds(self._socket, [b"1"], [request.fileno(), their_status, *streams])
        os.close(their_status)
        return Started(status, stdout, stderr)

    def run(self, *words: object, timeout: float = 120.0, **settings) -> subprocess.CompletedProcess:
        """`start`, and wait for its end."""
        started = self.start(*words, **settings)
        stdout, stderr = started.communicate(timeout)
        return subprocess.CompletedProcess([*map(str, words)], started.returncode, stdout, stderr)


# The server's side.


def _wait(pid: int, status: int) -> None:
    """Tell who asked of the process and of its end."""
    os.write(status, b"%d\n" % pid)
    _, ended, usage = os.wait4(pid, 0)
    os.write(status, b"%d %d\n" % (os.waitstatus_to_exitcode(ended), usage.ru_maxrss))


def _reap() -> None:
    """Take up those that waited and have ended; their processor time is then this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _requests(connection: socket.socket) -> Iterator[list[int]]:
    while True:
        message, fds, _, _ = socket.recv_fds(connection, 1, 5)
        if not message:
            return
        yield fds


def _stream(number: int, mode: str, **settings) -> IO[str] | None:
    """A standard stream as Python opens it: none where it is closed."""
    try:
        return open(number, mode, closefd=False, **settings)
    except OSError:
        return None


def _become(about: dict, streams: list[int]) -> str:
    """Make of this process one that was just started; gives what it runs."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for number, path in about["redirect"].items():
        os.close(int(number))
        if path is not None:
            assert os.open(path, os.O_WRONLY) == int(number), "the lowest number that is free"
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if about["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(about["env"])
    os.chdir(about["cwd"])
    sys.argv[:] = about["argv"]
    sys.stdin, sys.stdout = _stream(0, "r"), _stream(1, "w")
    sys.stderr = _stream(2, "w", errors="backslashreplace", buffering=1)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    return about["code"]


def _serve(connection: socket.socket) -> str:
    """Fork for each request; returns, in the forked process alone, what that shall run."""
    import abr_alloc

    folder = Path(abr_alloc.__file__).parent
    own = [f"abr_alloc.{package}.{path.stem}" for package in PACKAGES for path in (folder / package).glob("[!_]*.py")]
    for module in (*OTHERS, *own):
        if not module.endswith(NOT_IMPORTED):
            importlib.import_module(module)
    for request, status, *streams in _requests(connection):
        with os.fdopen(request, "rb") as file:
            file.seek(0)
            about = json.loads(file.read())
        for module in about["imports"]:
            importlib.import_module(module)
        assert threading.active_count() == 1, "a process with threads does not fork safely"
        gc.freeze()  # else each process, as it ends, looks through all that was imported, and so copies it first
        if os.fork() == 0:
            connection.close()
            pid = os.fork()
            if pid == 0:
                os.close(status)
                return _become(about, streams)
            _wait(pid, status)
            os._exit(0)
        for fd in (status, *streams):
            os.close(fd)
        _reap()
    _reap()
    os._exit(0)


if __name__ == "__main__":
    _code = _serve(socket.socket(fileno=int(sys.argv[1])))
    # As `python -c` has it, also for the workers that it starts.
    sys.path[0] = ""
    del __file__
    exec(_code, {"__name__": "__main__"})
