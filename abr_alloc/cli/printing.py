"""The one door to the terminal: what came from outside is text there, never a command to the terminal.

Titles, targets, codecs and file names come from files that anybody may have written. A terminal obeys control
characters, and marks of direction make a line read as another; both are shown as escapes, like `\\x1b`.
"""

from __future__ import annotations

import contextlib
import re
import sys

import click

__all__ = ["cut", "echo", "printable", "safe_streams"]

_LONGEST_LINE = 2000
"""Characters of a line that tells of an error."""

# C0 and C1 controls but line breaks and tabs, marks of direction, line and paragraph separators, surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text with everything escaped that a terminal might obey; line breaks and tabs stay."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def cut(text: str) -> str:
    """One line of text, cut where it is too long to be read."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... ({len(line)} characters)"


def echo(text: str, *, err: bool = False, nl: bool = True, exact: bool = False) -> None:
    """Print text to stdout, or to stderr.

    Args:
        text: what to print.
        err: to stderr.
        nl: end it with a line break.
        exact: data for another program: it is escaped only where a terminal would read it.
    """
    stream = sys.stderr if err else sys.stdout
    if not exact or (stream is not None and stream.isatty()):
        text = printable(text)
    if not err:
        click.echo(text, nl=nl, color=exact or None)  # else click takes out what looks like a colour
        return
    with contextlib.suppress(OSError):  # a terminal that was closed, or a full disk: there is nobody to tell
        click.echo(text, err=True, nl=nl)


def safe_streams() -> None:
    """Let no character fail that a terminal's encoding has not."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
