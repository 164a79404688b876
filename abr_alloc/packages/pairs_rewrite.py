"""A master playlist with other audio groups beside its variants, and nothing else changed.

Lines are kept as they were written. Of a variant four attributes may change: AUDIO; BANDWIDTH and AVERAGE-BANDWIDTH,
which become those of the segments on disk; and, where the new group is of another codec, the audio codecs in CODECS.
SCORE goes from all variants, since pairs that have changed may have changed places. Relative paths are led from the new
playlist's folder to the old one's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import PackageError

__all__ = ["REWRITTEN", "NewPair", "group_uris", "rewrite_pairs"]

REWRITTEN = "# Pairs by abr-alloc audit"
"""The comment of a rewritten playlist."""

_STREAM, _MEDIA = "#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:"
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,"]*)')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/")
_AUDIO_ENTRIES = (*(codec.sample_entry for codec in AUDIO_CODECS.values()), "fLaC", "flac", "alac")
# Attributes of which redundant variants may differ (RFC 8216bis, 4.4.6.2 and 7.1).
_OF_A_COPY = frozenset({"PATHWAY-ID", "STABLE-VARIANT-ID", "SCORE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """The audio that a variant gets."""

    like_line: int
    """Line of a variant that has this audio, counted from 1: its group, and its audio codecs, are taken."""
    peak_kbps: float
    """Peak rate of the pair, kbps."""
    average_kbps: float
    """Mean rate of the pair, kbps."""


def group_uris(text: str) -> dict[str, list[str]]:
    """The playlists of every audio group of a master playlist, as they are written."""
    groups: dict[str, list[str]] = {}
    for line in text.splitlines():
        found = dict(_ATTRIBUTE.findall(line.removeprefix(_MEDIA))) if line.startswith(_MEDIA) else {}
        if found.get("TYPE") == "AUDIO" and "URI" in found:
            groups.setdefault(found.get("GROUP-ID", "").strip('"'), []).append(found["URI"].strip('"'))
    return groups


def rewrite_pairs(text: str, pairs: Mapping[int, NewPair], prefix: str = "", dropped: Collection[int] = ()) -> str:
    """A master playlist with other pairs.

    Args:
        text: the playlist.
        pairs: by the line of a variant's EXT-X-STREAM-INF, counted from 1, the audio that it gets, or keeps. Redundant
            variants of the same attributes get it too; others stay as they are.
        prefix: what leads from the new playlist's folder to the old one's, as a URI that ends in /; empty for the same.
        dropped: lines of variants that are left out, with their redundant ones.

    Raises:
        PackageError: a line is no variant, or the one whose audio is wanted has no group.
    """
    lines = text.split("\n")
    copies = {_told_apart(_attributes(lines, line)): new for line, new in pairs.items()}
    left_out = {_told_apart(_attributes(lines, line)) for line in dropped}
    rewritten: list[str] = []
    skips = False  # what is up to the URI of a variant that is left out
    for number, line in enumerate(lines, 1):
        ending = "\r" if line.endswith("\r") else ""
        body = line.removesuffix("\r")
        if body.startswith(_STREAM):
            found = dict(_ATTRIBUTE.findall(body.removeprefix(_STREAM)))
            skips = number in dropped or (number not in pairs and _told_apart(found) in left_out)
            new = pairs.get(number, copies.get(_told_apart(found)))
            if new is not None:
                found |= _changed(found, _attributes(lines, new.like_line), new)
            found.pop("SCORE", None)
            body = _STREAM + ",".join(f"{name}={value}" for name, value in found.items())
        elif body.startswith("#EXT"):
            body = _led(body, prefix)
        elif body.strip() and not body.startswith("#") and not _SCHEME.match(body):
            body = prefix + body
        if skips:
            skips = not body.strip() or body.startswith("#")
            continue
        rewritten.append(body + ending)
        if number == 1:
            rewritten.append(f"{REWRITTEN}{ending}")
    return "\n".join(rewritten)


def _attributes(lines: Sequence[str], line: int) -> dict[str, str]:
    """Attributes of a variant as they are written, in their order."""
    text = lines[line - 1] if 1 <= line <= len(lines) else ""
    if not text.startswith(_STREAM):
        raise PackageError(f"line {line} of the master playlist is no variant; has it changed since it was read?")
    return dict(_ATTRIBUTE.findall(text.removesuffix("\r").removeprefix(_STREAM)))


def _told_apart(attributes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in attributes.items() if item[0] not in _OF_A_COPY))


def _changed(own: Mapping[str, str], like: Mapping[str, str], new: NewPair) -> dict[str, str]:
    if "AUDIO" not in like:
        raise PackageError(
            "a variant whose audio is wanted names no AUDIO group; its audio lies in its video's segments"
        )
    found = {"AUDIO": like["AUDIO"], "BANDWIDTH": str(math.ceil(new.peak_kbps * 1000.0))}
    if "AVERAGE-BANDWIDTH" in own:
        found["AVERAGE-BANDWIDTH"] = str(math.ceil(new.average_kbps * 1000.0))
    if "CODECS" in own and "CODECS" in like:
        audio = [codec for codec in _codecs(like["CODECS"]) if _is_audio(codec)]
        video = [codec for codec in _codecs(own["CODECS"]) if not _is_audio(codec)]
        if audio != [codec for codec in _codecs(own["CODECS"]) if _is_audio(codec)]:
            found["CODECS"] = f'"{",".join([*video, *audio])}"'
    return found


def _codecs(text: str) -> list[str]:
    return [codec.strip() for codec in text.strip('"').split(",")]


def _is_audio(codec: str) -> bool:
    return codec.partition(".")[0] in _AUDIO_ENTRIES


def _led(line: str, prefix: str) -> str:
    """A tag whose URI attribute, if it has a relative one, begins in the old playlist's folder."""

    def lead(match: re.Match[str]) -> str:
        uri = match[2]
        return match[0] if _SCHEME.match(uri) else f'{match[1]}URI="{prefix}{uri}"'

    return re.sub(r'([:,])URI="([^"]*)"', lead, line) if prefix else line
