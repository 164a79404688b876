"""Which renditions a run measures: files, packages on disk, and lists of them, each stream with its label."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from abr_alloc.delimited import read_cells
from abr_alloc.errors import ArgumentError, MediaError, UnsupportedMediaError
from abr_alloc.location import local_mode
from abr_alloc.measure.renditions import FailedRendition, Rendition
from abr_alloc.media.streams import read_streams
from abr_alloc.packages.package import PackagedStream
from abr_alloc.packages.reader import is_package, read_package
from abr_alloc.targets import Target

__all__ = ["list_renditions"]

logger = logging.getLogger(__name__)

_KINDS = ("video", "audio", "both")
_COLUMNS = ("path", "kind", "label", "vmaf_log")


def list_renditions(
    places: Sequence[Path], vmaf_logs: Sequence[str], folder: Path, *, within: Path | None = None
) -> tuple[list[Rendition], list[FailedRendition]]:
    """Every stream that is to be measured, and those that cannot be.

    Args:
        places: media files, playlists and manifests, and lists (`.csv`) of files.
        vmaf_logs: logs, each as `LABEL=FILE`.
        folder: where streams of packages are written as files; they must stay as long as they are measured.
        within: a folder that no package may lead out of; each one's own when None.

    Raises:
        ArgumentError: a label is of two renditions or reads as what an encoder is asked for; a list or a log's label
            cannot be read.
        PackageError: a playlist or manifest cannot be read.
    """
    found: list[Rendition] = []
    failed: list[FailedRendition] = []
    for rendition, stream in _expanded(places, folder, within):
        try:
            if stream is not None:
                stream.write(rendition.path)
            found += _streams(rendition)
        except MediaError as error:
            failed.append(FailedRendition(rendition=rendition, error=error))
    _check_labels(found)
    return _with_logs(found, vmaf_logs), failed


def _expanded(
    places: Sequence[Path], folder: Path, within: Path | None
) -> Iterator[tuple[Rendition, PackagedStream | None]]:
    """Every rendition; of a package with its stream, which is yet to be written to its file."""
    for number, place in enumerate(places):
        if place.suffix.lower() == ".csv":
            yield from ((rendition, None) for rendition in _listed(place))
        elif stat.S_ISREG(local_mode(place)) and is_package(place):
            home = folder / str(number)
            home.mkdir(parents=True, exist_ok=True)
            package = read_package(place, within=within)
            for note in package.notes:
                logger.warning("%s: %s", place, note)
            for at, stream in enumerate(package.streams):
                kind = "both" if stream.kind == "muxed" else stream.kind
                path = stream.whole.path if stream.whole else home / f"{at}{stream.suffix}"
                found = Rendition(path=path, kind=kind, label=stream.label, where=stream.where)
                yield found, None if stream.whole else stream
        else:
            yield Rendition(path=place, kind="", label=place.stem, where=str(place)), None


def _listed(path: Path) -> Iterator[Rendition]:
    """Rows of a list; paths are from its own folder."""
    try:
        rows = read_cells(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError(f"the list {path} cannot be read ({reason}); give CSV with the column path") from error
    names = rows[0][1] if rows else []
    if len(rows) < 2 or "path" not in names:
        raise ArgumentError(f"the list {path} has no column path, or no rows; give CSV with {', '.join(_COLUMNS)}")
    strange = [name for name in names if name not in _COLUMNS or names.count(name) > 1]
    if strange:
        what = "twice the column" if strange[0] in _COLUMNS else "a column"
        raise ArgumentError(f"the list {path} has {what} {strange[0]!r}; columns are {', '.join(_COLUMNS)}")
    for number, cells in rows[1:]:
        row = dict(zip(names, cells, strict=False))
        place, kind, more = row.get("path", ""), row.get("kind", ""), len(cells) > len(names)
        if not place or (kind and kind not in _KINDS) or more:
            what = "no path" if not place else "more columns" if more else f"the kind {kind!r}, not {', '.join(_KINDS)}"
            raise ArgumentError(f"the list {path}, line {number}: it has {what}; correct it")
        log = row.get("vmaf_log", "")
        yield Rendition(
            path=path.parent / place,
            kind=kind,
            label=row.get("label", "") or Path(place).stem,
            where=str(path.parent / place),
            vmaf_log=path.parent / log if log else None,
        )


def _streams(rendition: Rendition) -> list[Rendition]:
    """The streams of a file that are wanted.

    Raises:
        UnsupportedMediaError: it has none of the kind that it is said to be.
        MediaError: it cannot be read.
    """
    streams = read_streams(rendition.path)
    wanted = [s for s in streams if rendition.kind in ("", "both", s.kind)]
    if not wanted or (rendition.kind == "both" and len(wanted) < 2):
        raise UnsupportedMediaError(
            f"{rendition.path} holds {' and '.join(s.kind for s in streams)}, but was given as "
            f"{rendition.kind.replace('both', 'video and audio')}; correct its kind",
            path=str(rendition.path),
        )
    logs = {"video": rendition.vmaf_log, "audio": None}
    return [replace(rendition, kind=stream.kind, vmaf_log=logs[stream.kind]) for stream in wanted]


def _check_labels(renditions: Sequence[Rendition]) -> None:
    taken: dict[tuple[str, str], Rendition] = {}
    for rendition in renditions:
        label = rendition.label
        if not label or not label.isprintable() or (not label.isascii() and "\udc80" <= max(label) <= "\udfff"):
            raise ArgumentError(f"{rendition.where}: its label {label!r} is no printable text; give another in a list")
        if not Target(label).is_label:
            raise ArgumentError(
                f"{rendition.where}: its label {label!r} reads as what an encoder is asked for; rename the file, or "
                "give a label in a list (CSV with path, kind, label)"
            )
        other = taken.setdefault((rendition.kind, label), rendition)
        if other is not rendition:
            raise ArgumentError(
                f"{other.where} and {rendition.where} are both called {label!r}; rename one, or give labels in a list "
                "(CSV with path, kind, label)"
            )


def _with_logs(renditions: Sequence[Rendition], vmaf_logs: Sequence[str]) -> list[Rendition]:
    found = list(renditions)
    for text in vmaf_logs:
        at = [i for i, r in enumerate(found) if r.kind == "video" and text.startswith(f"{r.label}=")]
        if not at:
            labels = ", ".join(r.label for r in found if r.kind == "video") or "none"
            raise ArgumentError(f"{text!r} names no video rendition; write LABEL=FILE with one of: {labels}")
        best = max(at, key=lambda i: len(found[i].label))
        found[best] = replace(found[best], vmaf_log=Path(text[len(found[best].label) + 1 :]))
    return found
