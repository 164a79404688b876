"""Places: files of this machine, and `s3://bucket/key` and its like, which fsspec opens.

A place is a `pathlib.Path`, or a universal-pathlib `UPath`, which is used like one and is typed as one here. Only this
module imports that library, and only when a text with `://` is met. Credentials, regions and endpoints come from the
environment, as the store's own library reads them (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...).

Whatever a store refuses is an `OSError` with a `strerror`, as it is for files.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from abr_alloc.errors import LocationError

__all__ = [
    "exists",
    "fetch",
    "fingerprint",
    "is_remote",
    "list_files",
    "local_mode",
    "make_scratch_dir",
    "open_binary",
    "parse_location",
    "read_bytes",
    "require_no_pipe",
    "require_writable",
    "scratch_dir",
    "send",
    "send_bytes",
]

# What fsspec's stores call it, the surest first.
_MARKS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")
# A store that says nothing is given up after a few minutes: s3fs and botocore try again within each other's tries, and
# by their own defaults that takes half an hour. AWS_RETRY_MODE and AWS_MAX_ATTEMPTS say otherwise of botocore's.
_CONNECT_S, _READ_S = 5.0, 15.0
_TRIES = 3
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def parse_location(text: str | os.PathLike[str]) -> Path:
    """A path, or a URL as something that is used like one.

    Raises:
        LocationError: a URL whose protocol nothing here opens; the message says what to install.
    """
    if not isinstance(text, str):
        return cast(Path, text)  # a place already
    match = _URL.match(text)
    if match is None:
        return Path(text)
    protocol = match[1].lower()
    if protocol in ("file", "local"):
        return Path(text[match.end() :])
    if importlib.util.find_spec("upath") is None:
        raise LocationError(f"{text} needs the extra [s3]; pip install 'abr_alloc[s3]'", location=text)
    from upath import UPath

    try:
        # Others write to the same store meanwhile: no listing is remembered.
        place = UPath(text, use_listings_cache=False, **(_s3_settings() if protocol in ("s3", "s3a") else {}))
        place.fs  # noqa: B018 - imports the library that speaks the protocol
    except ImportError as error:
        raise LocationError(f"{text} needs a library that is not here ({error})", location=text) from error
    except ValueError as error:
        reason = f"{text} has a protocol that nothing here opens ({error}); give a file or an s3:// URL"
        raise LocationError(reason, location=text) from error
    return cast(Path, place)


def _s3_settings() -> dict[str, Any]:
    """Settings of the client, which travel with a place to workers."""
    retries = {"mode": os.environ.get("AWS_RETRY_MODE", "standard")}
    return {"config_kwargs": {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "retries": retries}}


def is_remote(path: Path) -> bool:
    """Whether a place is a URL rather than a file of this machine."""
    return not isinstance(path, os.PathLike)


@contextlib.contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """Whatever a store's library raises, as an OSError that has a `strerror`."""
    try:
        store: Any = getattr(path, "fs", None)
        if hasattr(store, "retries"):  # s3fs has no such setting that travels with a place to workers
            store.retries = _TRIES
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        number = error.errno if isinstance(error, OSError) and error.errno else errno.EIO
        if isinstance(error, FileNotFoundError):
            number = errno.ENOENT
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise OSError(number, reason, str(path)) from error  # ENOENT makes it a FileNotFoundError again


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be read, or is a pipe that nobody holds open: whoever reads that waits for ever.
    """
    with _as_os_error(path):
        require_no_pipe(path)
        return path.read_bytes()


def require_no_pipe(path: Path) -> None:
    """Refuse a named pipe; what a shell or a caller has opened (/dev/fd/63, /dev/stdin) is read to its end.

    Raises:
        OSError: it is one.
    """
    if not is_remote(path) and path.is_fifo() and not str(path.absolute()).startswith(("/dev/", "/proc/")):
        raise OSError(errno.ESPIPE, "it is a pipe; write it to a file first", str(path))


def local_mode(path: Path) -> int:
    """Kind and mode of what lies there, as `stat` has them; 0 where nothing does, or where no file can have such a
    name."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def exists(path: Path) -> bool:
    """Whether a file or a folder is there.

    Raises:
        OSError: the store does not answer.
    """
    with _as_os_error(path):
        return path.exists()


def send_bytes(path: Path, content: bytes) -> None:
    """Write a remote file in one request.

    Raises:
        OSError: it cannot be written.
    """
    with _as_os_error(path):
        path.fs.pipe_file(path.path, content)  # type: ignore[attr-defined]


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """A file that can be read from any position, as Parquet is: of a URL, only what is asked for is fetched.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be opened.
    """
    with _as_os_error(path):
        require_no_pipe(path)
        file = cast(IO[bytes], path.open("rb"))
    with file:
        yield cast(IO[bytes], _RemoteFile(path, file)) if is_remote(path) else file


class _RemoteFile:
    """A remote file whose reads fail as those of files do."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file

    def read(self, size: int = -1) -> bytes:
        with _as_os_error(self._path):
            return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def fetch(path: Path, target: Path) -> None:
    """Copy a remote file to a file of this machine.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be read, or the copy not be written.
    """
    with _as_os_error(path):
        path.fs.get_file(path.path, str(target))  # type: ignore[attr-defined]


def send(source: Path, path: Path) -> None:
    """Copy a file of this machine to a remote one, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with _as_os_error(path):
        path.fs.put_file(str(source), path.path)  # type: ignore[attr-defined]


def fingerprint(path: Path) -> tuple[int, str]:
    """Size in bytes, and what changes with the content of a remote file: ETag, else the time of its last change.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it is no file, or the store does not answer.
    """
    with _as_os_error(path):
        info = path.fs.info(path.path)  # type: ignore[attr-defined]
    if info.get("type") != "file" or info.get("size") is None:
        raise IsADirectoryError(errno.EISDIR, "it is not a file", str(path))
    marks = (info.get(name) for name in _MARKS)
    return int(info["size"]), str(next((mark for mark in marks if mark), ""))


def list_files(root: Path) -> Iterator[tuple[Path, int]]:
    """Every file below a folder, which need not exist: its path within it, and its size in bytes.

    Raises:
        OSError: the store does not answer.
    """
    if is_remote(root):
        with _as_os_error(root):
            found = root.fs.find(root.path, detail=True)  # type: ignore[attr-defined]
        base = root.path.rstrip("/") + "/"  # type: ignore[attr-defined]
        yield from ((Path(name.removeprefix(base)), int(info["size"] or 0)) for name, info in found.items())
        return
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            with contextlib.suppress(OSError):  # another process may be at work
                yield path.relative_to(root), path.lstat().st_size


def require_writable(path: Path) -> None:
    """See whether a remote file could be written, by writing and removing another beside it.

    Raises:
        OSError: it could not.
    """
    probe = path.with_name(f".{secrets.token_hex(8)}.probe")
    send_bytes(probe, b"")
    with contextlib.suppress(OSError), _as_os_error(probe):  # a store may allow writing alone
        probe.unlink()


def scratch_dir() -> Path:
    """Where this machine keeps what only it needs: `ABR_ALLOC_SCRATCH`, else a folder of the user's own in the system's
    folder for temporary files. It need not exist; `make_scratch_dir` makes it.
    """
    named = os.environ.get("ABR_ALLOC_SCRATCH")
    if named:
        return Path(named).absolute()
    import tempfile

    return Path(tempfile.gettempdir()).absolute() / f"abr-alloc-{os.getuid()}"


def make_scratch_dir() -> Path:
    """`scratch_dir`, made where it is not there.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    folder = scratch_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # anybody may make a folder among temporary files
        raise PermissionError(errno.EPERM, "the folder is another user's; set ABR_ALLOC_SCRATCH", str(folder))
    return folder
