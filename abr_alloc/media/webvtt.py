"""WebVTT (W3C, 2019): cues of plain text, read and written.

Times are whole milliseconds of the title. What is written has no positions, no styles and no tags but those for bold,
italic and underlined text; what is read may have all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["TIMESTAMP_MAP", "Cue", "WebVttError", "read_times", "read_webvtt", "webvtt_text"]

TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"
"""Of segments: a cue's time is the media's (draft-pantos-hls-rfc8216bis-22, 3.1.4)."""

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?", flags=re.ASCII)
_NOTES = ("NOTE", "STYLE", "REGION")


class WebVttError(ValueError):
    """Text that is no WebVTT; says in which line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What is shown for a while."""

    start_ms: int
    """When it begins, milliseconds of the title."""
    end_ms: int
    """When it ends, milliseconds of the title."""
    text: str
    """What is shown, as WebVTT writes it."""


def read_webvtt(data: bytes) -> tuple[list[str], list[Cue]]:
    """The lines of the header behind WEBVTT, and the cues, in the order of the file.

    Raises:
        WebVttError: it is none.
    """
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise WebVttError(f"is not UTF-8 from byte {error.start} on") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise WebVttError(f"begins with {lines[0][:20]!r}, not WEBVTT")
    blocks: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(lines[1:], start=2):
        if line:
            blocks[-1].append((number, line))
        elif blocks[-1] or len(blocks) == 1:
            blocks.append([])
    header, cues = [line for _, line in blocks[0]], []
    for block in filter(None, blocks[1:]):
        at = next((at for at, (_, line) in enumerate(block) if "-->" in line), None)
        number, first = block[0]
        if at is None and first.split()[0] in _NOTES:
            continue
        if at is None or at > 1:
            raise WebVttError(f"line {number} begins no cue: {first[:30]!r}")
        number, line = block[at]
        times = read_times(line)
        if times is None:
            raise WebVttError(f"line {number} has no times: {line[:40]!r}")
        start_ms, end_ms = times
        cues.append(Cue(start_ms=start_ms, end_ms=end_ms, text="\n".join(line for _, line in block[at + 1 :])))
    return header, cues


def read_times(line: str) -> tuple[int, int] | None:
    """Begin and end of a cue, milliseconds, of the line that says them; None of any other line."""
    times = _TIMES.fullmatch(line.strip())
    return None if times is None else (_milliseconds(times.groups()[:4]), _milliseconds(times.groups()[4:]))


def _milliseconds(parts: Iterable[str | None]) -> int:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def webvtt_text(cues: Iterable[Cue], *, is_segment: bool = False) -> bytes:
    """Cues as a WebVTT file, or as a segment of one."""
    parts = ["WEBVTT" + (f"\n{TIMESTAMP_MAP}" if is_segment else "")]
    parts += [f"{_stamp(cue.start_ms)} --> {_stamp(cue.end_ms)}\n{cue.text}" for cue in cues]
    return ("\n\n".join(parts) + "\n").encode()


def _stamp(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"
