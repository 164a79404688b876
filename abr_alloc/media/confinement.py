"""What a program may use, and whether it gets on: limits and counters of the Linux kernel.

A small file can ask a decoder for a great deal: the limits make that an error of one title instead of the end of a
machine. They are far above what encoders need. `ABR_ALLOC_LIMITS` sets others, like `memory=32G,cpu=72h,file=100G`.
Elsewhere than on Linux neither limits nor counters are there, and programs run as the system lets them.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.errors import UnitError

__all__ = ["SIGNALS", "Limits", "confine", "read_limits", "read_progress"]

_GIB = 1 << 30
_LATER_S = 5
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "s": 1, "min": 60, "h": 3600}
_LIMIT = re.compile(r"(memory|cpu|file)=(\d{1,15})(k|m|g|t|s|min|h)?", flags=re.IGNORECASE)

SIGNALS = {
    -int(signal.SIGXCPU): "it took more processor time than it may (docs/security.md: ABR_ALLOC_LIMITS)",
    -int(signal.SIGXFSZ): "a file would grow larger than it may (docs/security.md: ABR_ALLOC_LIMITS, or ulimit -f)",
    -int(signal.SIGKILL): "it was killed, perhaps by the system for want of memory",
    -int(signal.SIGSEGV): "it crashed (segmentation fault)",
    -int(signal.SIGABRT): "it crashed (abort), perhaps for want of memory",
}
"""What ended a program, by its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one program may use."""

    memory_bytes: int
    """Address space."""
    cpu_s: int
    """Processor time, all threads together, seconds."""
    file_bytes: int
    """Size of any one file that it writes."""


def read_limits() -> Limits:
    """The limits that hold: the machine's memory or 16 GiB, whichever is more; 48 hours; 64 GiB; or `ABR_ALLOC_LIMITS`.

    Raises:
        UnitError: `ABR_ALLOC_LIMITS` cannot be read.
    """
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        machine = 0
    found = {"memory": max(16 * _GIB, machine), "cpu": 48 * 3600, "file": 64 * _GIB}
    for part in filter(None, os.environ.get("ABR_ALLOC_LIMITS", "").split(",")):
        match = _LIMIT.fullmatch(part.strip())
        if match is None or ((match[3] or "").lower() in ("s", "min", "h")) != (match[1].lower() == "cpu"):
            raise UnitError(
                f"ABR_ALLOC_LIMITS: {part[:40]!r} is no limit; write memory=16G,cpu=48h,file=64G, or some of them",
                value=part,
            )
        found[match[1].lower()] = int(match[2]) * _UNITS[(match[3] or "").lower()]
    return Limits(memory_bytes=found["memory"], cpu_s=found["cpu"], file_bytes=found["file"])


def confine(pid: int) -> None:
    """Bound a program that was just started."""
    prlimit = getattr(resource, "prlimit", None)
    if prlimit is None:  # not Linux
        return
    limits = read_limits()
    wanted = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, most in wanted:
        # It may have ended already; and a container may forbid the call.
        with contextlib.suppress(OSError, ValueError):
            soft, hard = prlimit(pid, kind)
            least = min([most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)])
            # At the first limit of time a program is told why it ends, at the second it is killed.
            later = least + _LATER_S if kind == resource.RLIMIT_CPU else least
            prlimit(pid, kind, (least, later if hard == resource.RLIM_INFINITY else min(later, hard)))


def read_progress(pid: int, report: Path | None) -> object:
    """Something that changes as long as a program and those that it started read or write; None where nobody can tell.

    Args:
        pid: the program.
        report: a file to which it writes how far it is whether it gets on or not: then what that says counts instead
            of what is written.
    """
    told = b""
    if report is not None:
        with contextlib.suppress(OSError):
            told = b"".join(re.findall(rb"^(?:frame|total_size)=.*$", report.read_bytes(), flags=re.MULTILINE)[-2:])
    try:
        return told, [_moved_bytes(one, with_writes=report is None) for one in _family(pid)]
    except (OSError, ValueError, KeyError):
        return None


def _moved_bytes(pid: int, *, with_writes: bool) -> int:
    rows = (line.partition(b":") for line in Path(f"/proc/{pid}/io").read_bytes().splitlines())
    counters = {name: int(value) for name, _, value in rows}
    return counters[b"rchar"] + (counters[b"wchar"] if with_writes else 0)


def _family(pid: int) -> list[int]:
    """A process and those that it started: a program may be a script that runs the real one."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_bytes().split())
    return found
