"""ffmpeg: find it, learn what it can do, run it.

No protocol but files and pipes, and no demuxer that follows references, so that a source can never make ffmpeg open
anything else. How programs run at all is `programs.py`'s.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.disk import cut_off
from abr_alloc.errors import ToolFailedError, ToolMissingError
from abr_alloc.media.confinement import SIGNALS
from abr_alloc.media.programs import STALL_S, STDERR_TAIL_CHARS, run

__all__ = [
    "INPUT_GUARD",
    "MEDIA_FORMATS",
    "ONE_THREAD",
    "FFmpeg",
    "find_ffmpeg",
    "look_at_ffmpeg",
]

# Demuxers of self-contained files. ffmpeg's whitelist takes their names as its `-formats` prints them.
MEDIA_FORMATS = (
    "aac,ac3,aiff,amr,apng,asf,av1,avi,avr,avs2,avs3,caf,dirac,dnxhd,dv,eac3,evc,flac,flv,gif,gxf,h261,h263,h264,hevc,"
    "ivf,lxf,m4v,matroska,webm,mjpeg,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,swf,truehd,"
    "tta,vc1,vvc,w64,wav,wtv,wv,y4m,yuv4mpegpipe"
)
"""What is opened as media: files that name no other files or hosts."""

INPUT_GUARD: tuple[str | Path, ...] = (
    "-protocol_whitelist",
    "file,pipe",
    "-format_whitelist",
    f"{MEDIA_FORMATS},f32le",  # the last is our own PCM
)
"""Options that stand before every `-i`."""

ONE_THREAD: tuple[str | Path, ...] = ("-threads", "1")
"""Options before the `-i` of tasks that run side by side: each decodes on its own core."""

_ANSWER_S = 20.0  # an ffmpeg that has not said its version by then never will
# What ffmpeg says when all is done, at level info: how much went to every output.
_LAST_WORDS = re.compile(r"\bvideo:\d+ ?[kK]i?B audio:\d+")
_OUT_OF_TIME = f"received signal {int(signal.SIGXCPU)}"  # which ffmpeg takes for a wish to end
_QUIET = ("-hide_banner", "-nostdin", "-y")


@dataclass(frozen=True, slots=True, kw_only=True)
class FFmpeg:
    """An ffmpeg program that answered."""

    path: str
    """Where it lies."""
    version: str
    """Its own version word."""
    encoders: frozenset[str]
    """Names of the encoders it was built with."""
    filters: frozenset[str]
    """Names of the filters it was built with."""

    stall_s: float = STALL_S
    """How long it may go without reading or writing anything before it is ended, seconds; 0 for ever."""

    def run(self, args: Sequence[str | Path], *, cwd: Path | None = None, report: Path | None = None) -> bytes:
        """Run ffmpeg with `args`, quietly and without input, and return its stdout.

        Args:
            args: its arguments.
            cwd: the folder that it runs in.
            report: a file in which it tells how far it is, as its option `-progress` does.

        Raises:
            ToolFailedError: ffmpeg exited with another code than 0, or stood still.
        """
        told = [] if report is None else ["-progress", str(report.resolve()), "-stats_period", "0.5"]
        command = (self.path, *_QUIET, "-loglevel", "error", *told, *map(str, args))
        try:
            return run(command, cwd=cwd, stall_s=self.stall_s, report=report)[0]
        except ToolFailedError as error:
            if _OUT_OF_TIME not in error.stderr_tail:
                raise
            raise _why(error, error.stderr_tail) from error

    def run_and_hear(self, args: Sequence[str | Path], *, level: str) -> str:
        """Run ffmpeg as `run` does, and return what it says at a log level: of a few frames.

        Raises:
            ToolFailedError: ffmpeg exited with another code than 0.
        """
        command = (self.path, *_QUIET, "-nostats", "-loglevel", level, *map(str, args))
        try:
            return run(command, stall_s=self.stall_s)[1].decode("utf-8", "replace")
        except ToolFailedError as error:
            raise _why(error, error.stderr_tail) from error

    def run_and_tell(
        self, args: Sequence[str | Path], log: Path, *, level: str = "info", cwd: Path | None = None
    ) -> bytes:
        """Run ffmpeg as `run` does, with all that it says at a log level in a file, and return its stdout.

        Raises:
            ToolFailedError: ffmpeg exited with another code than 0; what it said of that is in the file too.
            OutputError: the file does not hold all that ffmpeg said.
        """
        command = (self.path, *_QUIET, "-nostats", "-loglevel", level, *map(str, args))
        with log.open("wb") as file:
            try:
                stdout = run(command, cwd=cwd, stall_s=self.stall_s, stderr=file)[0]
            except ToolFailedError as error:
                raise _why(error, _tail(log)) from error
        if not _LAST_WORDS.search(_tail(log)):  # a full disk is no failure to ffmpeg
            raise cut_off(log)
        return stdout

    def require_encoder(self, *names: str) -> str:
        """The first of `names` that this ffmpeg has.

        Raises:
            ToolMissingError: it has none of them.
        """
        for name in names:
            if name in self.encoders:
                return name
        raise ToolMissingError(
            f"{self.path} has no encoder {' or '.join(names)}; give another ffmpeg with `ffmpeg` or ABR_ALLOC_FFMPEG",
            tool=names[0],
        )


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - STDERR_TAIL_CHARS))
        return file.read().decode("utf-8", "replace")


def _why(error: ToolFailedError, said: str) -> ToolFailedError:
    """A failure with its reason: what ffmpeg said of frames before it failed is not why.

    Another one, to be raised from the first: Dask follows causes to their end, which a failure has not that is its own.
    """
    if error.exit_code < 0:  # ended from outside, as its message says
        return ToolFailedError(error.command, error.exit_code, error.stderr_tail)
    if _OUT_OF_TIME in said:
        return ToolFailedError(error.command, error.exit_code, SIGNALS[-int(signal.SIGXCPU)])
    lines = said.splitlines()
    why = [line for line in lines if "[error]" in line or "[fatal]" in line] or lines[-1:]
    return ToolFailedError(error.command, error.exit_code, "\n".join(why))


def _listed_names(text: str) -> frozenset[str]:
    """Names in the second column of `ffmpeg -encoders` or `-filters`."""
    rows = (line.split() for line in text.splitlines())
    return frozenset(row[1] for row in rows if len(row) >= 3 and row[1] != "=")


def find_ffmpeg(path: str | None = None) -> FFmpeg:
    """Find and check ffmpeg: `path`, else `ABR_ALLOC_FFMPEG`, else the build that imageio-ffmpeg brings.

    Raises:
        ToolMissingError: it is not there, does not answer, or was built without libvmaf.
    """
    found = look_at_ffmpeg(path)
    if "libvmaf" not in found.filters:
        raise ToolMissingError(
            f"{found.path} was built without libvmaf; use a build that has it, or drop `ffmpeg`", tool="libvmaf"
        )
    return found


def look_at_ffmpeg(path: str | None = None) -> FFmpeg:
    """Find ffmpeg as `find_ffmpeg` does, whatever it can do.

    Raises:
        ToolMissingError: it is not there or does not answer.
    """
    asked = path or os.environ.get("ABR_ALLOC_FFMPEG")
    if asked:
        program = shutil.which(asked)
        if program is None:
            raise ToolMissingError(f"no ffmpeg program at {asked!r}; correct `ffmpeg` or ABR_ALLOC_FFMPEG", tool=asked)
    else:
        import imageio_ffmpeg

        try:
            program = imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError as error:  # installed from source, without a program
            raise ToolMissingError(
                "no ffmpeg came with imageio-ffmpeg; name one with `ffmpeg`", tool="ffmpeg"
            ) from error
    return _answer_of(program, _mark(program))


def _mark(program: str) -> tuple[int, ...]:
    """What changes when a program is replaced under its name."""
    with contextlib.suppress(OSError):
        about = Path(program).stat()
        return about.st_ino, about.st_size, about.st_mtime_ns
    return ()


@functools.lru_cache(maxsize=8)
def _answer_of(program: str, _: tuple[int, ...]) -> FFmpeg:
    """What a program says of itself; asked once, as long as it is the same."""
    try:
        version, encoders, filters = (
            run((program, "-hide_banner", word), timeout_s=_ANSWER_S)[0].decode("utf-8", "replace")
            for word in ("-version", "-encoders", "-filters")
        )
    except ToolFailedError as error:
        raise ToolMissingError(f"{program} does not answer as ffmpeg does: {error}", tool=program) from error
    words = version.split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise ToolMissingError(f"{program} is not ffmpeg; correct `ffmpeg` or ABR_ALLOC_FFMPEG", tool=program)
    return FFmpeg(path=program, version=words[2], encoders=_listed_names(encoders), filters=_listed_names(filters))
