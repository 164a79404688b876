"""Where a shipped ladder is read from, whatever it is written in: a ladder file, CSV, or a package on disk."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abr_alloc import defaults
from abr_alloc.allocation.given_ladder import GivenAudio, GivenLadder, GivenRung, GivenVideo, given_of
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_file import read_ladders
from abr_alloc.formats.ladder_rows import read_ladder_rows
from abr_alloc.location import local_mode

if TYPE_CHECKING:
    from abr_alloc.packages.package import Package, PackagedStream

__all__ = ["ShippedLadders", "given_package", "place_of", "read_shipped"]

_KINDS = (".json", ".csv", ".m3u8", ".mpd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedLadders:
    """Ladders of some titles, or one for any."""

    name: str
    """What they were read from."""
    by_title: dict[str, GivenLadder]
    """Those that are for a title, or lie in a file of its name."""
    for_any: GivenLadder | None = None
    """One that names no title."""

    def of(self, title: str) -> GivenLadder:
        """The ladder of a title: its own, or the one for any.

        Raises:
            LadderFormatError: there is none.
        """
        found = self.by_title.get(title, self.by_title.get(Path(title).stem, self.for_any))
        if found is None:
            listed = ", ".join(list(self.by_title)[:5]) + (", ..." if len(self.by_title) > 5 else "")
            raise LadderFormatError(f"{self.name} has no ladder for title {title!r}; it has {listed or 'none'}")
        return found


def read_shipped(path: Path, *, overhead: float = defaults.OVERHEAD, within: Path | None = None) -> ShippedLadders:
    """The ladders of a file, or of a folder of them: there a ladder that names no title is for the title that its file,
    or its own folder, is called after.

    Args:
        path: where it is.
        overhead: container overhead as a share of the streams' rate: a package's rates hold it.
        within: a folder that no package may lead out of; each one's own when None.

    Raises:
        LadderFormatError: nothing there can be read as a ladder.
        PackageError: a package cannot be read.
    """
    if not stat.S_ISDIR(local_mode(path)):
        return _collect(path.name, [(None, ladder) for ladder in _read(path, overhead, within)])
    found: list[tuple[str | None, GivenLadder]] = []
    for entry in sorted(path.iterdir()):
        if entry.is_dir():
            found += [(entry.name, ladder) for file in _package_of(entry) for ladder in _read(file, overhead, within)]
        elif entry.suffix.lower() in (".json", ".csv"):
            found += [(entry.stem, ladder) for ladder in _read(entry, overhead, within)]
    if not found:
        raise LadderFormatError(
            f"the folder {path} holds no ladder: neither .json nor .csv, nor a folder TITLE with a master playlist or "
            "a manifest"
        )
    return _collect(path.name, found)


def _package_of(folder: Path) -> Sequence[Path]:
    """The master playlist of a package's folder, or its manifest."""
    masters = sorted(p for p in folder.glob("*.m3u8") if b"#EXT-X-STREAM-INF" in p.read_bytes())
    return masters[:1] or sorted(folder.glob("*.mpd"))[:1]


def _collect(name: str, found: Sequence[tuple[str | None, GivenLadder]]) -> ShippedLadders:
    by_title: dict[str, GivenLadder] = {}
    for_any: GivenLadder | None = None
    for file, ladder in found:
        title = ladder.title or file
        if title is None:
            for_any = ladder
        elif title in by_title:
            raise LadderFormatError(f"{name} has two ladders for title {title!r}; keep one")
        else:
            by_title[title] = ladder
    return ShippedLadders(name=name, by_title=by_title, for_any=for_any)


def _read(path: Path, overhead: float, within: Path | None) -> Sequence[GivenLadder]:
    suffix = path.suffix.lower()
    if suffix in (".m3u8", ".mpd"):
        from abr_alloc.packages.reader import read_package  # libav, which other ladders do without

        return [given_package(read_package(path, within=within), overhead)]
    if suffix == ".csv":
        return read_ladder_rows(path)
    if suffix == ".json":
        ladders = read_ladders(path)
        if any(rung.video.per_shot for ladder in ladders for rung in ladder.rungs):
            raise LadderFormatError(
                f"{path} gives every scene its own parameters, and a ladder is judged here by one target per rung; "
                "encode it, and judge the master playlist of what was delivered"
            )
        return [
            given_of(ladder, path.name, title)
            for ladder in ladders
            for title in [at.title for at in ladder.rungs[0].titles] or [ladder.title]
        ]
    raise LadderFormatError(f"{path} is no ladder; give {', '.join(_KINDS)}, or a folder of them")


def given_package(package: Package, overhead: float) -> GivenLadder:
    """The variants of a package as a ladder: streams by the labels that `abr-alloc measure` gives them.

    Raises:
        LadderFormatError: it has no variants.
    """
    if not package.variants:
        raise LadderFormatError(
            f"{package.path} has no variants, so no pairs of video and audio; give a master playlist or a manifest "
            "with both"
        )
    streams = {stream.label: stream for stream in package.streams}
    rungs = []
    for variant in package.variants:
        video = streams[variant.video]
        audio = video if video.kind == "muxed" and variant.audio is None else streams.get(variant.audio or "")
        rungs.append(
            GivenRung(
                place=place_of(variant.name),
                video=GivenVideo(
                    label=video.label,
                    codec=video.video_codec,
                    width_px=variant.width_px,
                    height_px=variant.height_px,
                    kbps=None if video.kind == "muxed" else video.average_kbps / (1.0 + overhead),
                ),
                audio=None if audio is None else _given_audio(audio, overhead),
                muxed=audio is video,
            )
        )
    notes = list(package.notes)
    if package.kind == "dash" and len({variant.audio for variant in package.variants}) > 1:
        notes.append("DASH lets players pair any video with any audio; every pair is judged as a rung")
    return GivenLadder(name=package.path.name, rungs=tuple(rungs), notes=tuple(notes))


def _given_audio(stream: PackagedStream, overhead: float) -> GivenAudio:
    declared = {codec.codecs: codec.name for codec in AUDIO_CODECS.values()}
    named = [declared[codec] for codec in stream.codecs.split(",") if codec in declared]
    return GivenAudio(
        label=stream.label,
        codec=named[0] if named else stream.audio_codec,
        channels=stream.channels or None,
        kbps=None if stream.kind == "muxed" else stream.average_kbps / (1.0 + overhead),
    )


def place_of(variant: str) -> str:
    """Where a variant stands, for messages: the name of its playlist and the line."""
    return variant.replace("\\", "/").rpartition("/")[2]
