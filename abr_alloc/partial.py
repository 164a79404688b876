"""Names of half-done files: whose they are, and whether whoever made them is known to be gone.

Folders may be shared by machines, and a process may do several things at once.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
from pathlib import Path

__all__ = ["is_partial_name", "owner_name", "partial_name", "was_left_behind"]

_LONGEST_NAME = 255  # bytes of a file's name, on every file system in use
_PARTIAL = re.compile(r"\.[A-Za-z0-9_-]+~\d+~\d+\..+", flags=re.DOTALL)


def is_partial_name(name: str) -> bool:
    """Whether `partial_name` gave it."""
    return _PARTIAL.fullmatch(name) is not None


def partial_name(path: Path) -> Path:
    """Where a file of this machine is written until it is whole: `.host~process~thread.name`.

    A name that would be too long loses its beginning, not its suffix.
    """
    start = f".{owner_name()}."
    room = _LONGEST_NAME - len(start)
    name = os.fsencode(path.name)
    if len(name) > room:
        name = hashlib.sha256(name).hexdigest()[:12].encode() + name[len(name) - room + 12 :]
    return path.with_name(start + os.fsdecode(name))


def owner_name() -> str:
    """The part of a half-done file's name that says whose it is: `host~process~thread`."""
    return f"{_host()}~{os.getpid()}~{threading.get_native_id()}"


def was_left_behind(name: str) -> bool:
    """Whether the process that such a name begins with, with or without a dot, is known to run no more.

    Those of other machines and containers cannot be known here; their own runs look after them.
    """
    host, _, rest = name.removeprefix(".").partition(".")[0].partition("~")
    return not rest or (host == _host() and not _is_running(rest.partition("~")[0]))


@functools.cache
def _host() -> str:
    """This machine, and the part of it in which process numbers mean what they mean here."""
    try:
        space = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # not Linux
        space = ""
    name = re.sub(r"[^A-Za-z0-9-]", "_", os.uname().nodename)[:40]
    return f"{name}-{space}" if space else name


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
