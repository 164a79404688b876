"""Open a media file, and refuse what is not one.

Only single files are opened: demuxers that follow references to other files or hosts (HLS, DASH, concat, SDP, image
sequences) are not on the list, so nothing that a source names is ever fetched.
"""

from __future__ import annotations

import codecs
import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

import av
import av.container
import av.error
from av.video.format import VideoFormat

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.ffmpeg import MEDIA_FORMATS

__all__ = ["component_bits", "open_media", "require_media_file"]

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": MEDIA_FORMATS}


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[av.container.InputContainer]:
    """A media file, open; what libav says against it inside the block comes out as one error.

    Raises:
        UnsupportedMediaError: not one media file that can be read; the message says why.
    """
    require_media_file(path)
    try:
        with av.open(str(path.absolute()), options=_OPTIONS) as container:
            yield container
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnsupportedMediaError(
            f"{path} cannot be opened as media ({reason}); is it complete, and a single media file?", path=str(path)
        ) from error


def component_bits(pixel_format: str) -> int:
    """Bits of the deepest component of a pixel format, by ffmpeg's name; 8 for one that libav does not know."""
    try:
        return max(part.bits for part in VideoFormat(pixel_format).components)
    except ValueError:
        return 8


def require_media_file(path: Path) -> None:
    """Refuse what is not a file, is empty, or is text (every playlist and manifest is).

    Raises:
        UnsupportedMediaError: it is one of those.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnsupportedMediaError(f"{path} is a directory; give media files", path=str(path))
        if not stat.S_ISREG(mode):  # it would be read more than once, and a pipe cannot
            raise UnsupportedMediaError(
                f"{path} is no regular file but a pipe, socket or device; write it to a file first", path=str(path)
            )
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise UnsupportedMediaError(f"{path} does not exist; check the path", path=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UnsupportedMediaError(f"{path} cannot be read: {reason}", path=str(path)) from error
    if not head:
        raise UnsupportedMediaError(f"{path} is empty (0 bytes); give a media file", path=str(path))
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"#EXTM3U"):
        raise UnsupportedMediaError(
            f"{path} is an HLS playlist; what it points to is not opened, give the media file itself", path=str(path)
        )
    if b"\0" not in head:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < 4096)
        except UnicodeDecodeError:
            return
        raise UnsupportedMediaError(f"{path} is text, not media; give a media file", path=str(path))
