"""Measure renditions that exist into a feature table."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from abr_alloc import defaults
from abr_alloc.arguments import require_choice, require_number
from abr_alloc.audio_families import AUDIO_FAMILIES, family_of
from abr_alloc.errors import ArgumentError, FailedTitlesError, FeatureTableError
from abr_alloc.location import parse_location
from abr_alloc.measure.cache import open_cache
from abr_alloc.measure.extract import title_of
from abr_alloc.measure.renditions import FailedRendition, MeasureOptions
from abr_alloc.measure.renditions import measure_renditions as measure_all
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.media.scenes import Scene
from abr_alloc.runs.feedback import Feedback, follow
from abr_alloc.runs.rendition_list import list_renditions
from abr_alloc.table.table import FeatureTable, joined_names, read_features
from abr_alloc.workers.open import open_workers

__all__ = ["add_to", "measure_options", "measure_renditions", "measure_steps", "raise_failed_renditions"]


def measure_options(
    title: str,
    base: FeatureTable | None = None,
    *,
    detect_scenes: bool = True,
    max_scene_s: float | None = None,
    digest_s: float | None = None,
    full: bool = False,
    audio_features: str | None = None,
    audio_track: int | None = None,
    max_megapixels: float = defaults.MAX_MEGAPIXELS,
) -> MeasureOptions:
    """How to measure, with the defaults of `extract`.

    Args:
        title: name of the title.
        base: a table that already has the title; its scenes are taken.
        detect_scenes: cut at scene changes; else the title is one scene.
        max_scene_s: cut longer scenes evenly, seconds; None for `defaults.MAX_SCENE_S`, or no limit for whole titles.
        digest_s: score only so much of a longer title, seconds; None for `defaults.DIGEST_S`, of one over
            `defaults.DIGEST_ABOVE_S`.
        full: score all of it.
        audio_features: family of the audio features, visqol or listener; the table's when None, visqol without one.
        audio_track: of the source, from 1; None for its own choice.
        max_megapixels: refuse larger pictures.

    Raises:
        ArgumentError: a value is out of its range.
        FeatureTableError: the table does not have the title, or has audio features of another family.
    """
    for name, value in (("max_scene_s", max_scene_s), ("digest_s", digest_s), ("audio_track", audio_track)):
        if value is not None:
            require_number(name, value, 0.0, above=True)
    require_number("max_megapixels", max_megapixels, 0.0, above=True)
    of_base = None if base is None else family_of(base.metadata.audio_feature_version).name
    family = audio_features or of_base or defaults.AUDIO_FEATURES
    require_choice("audio_features", family, tuple(AUDIO_FAMILIES))
    if of_base is not None and family != of_base:
        raise FeatureTableError(
            f"the given table holds the audio features of {of_base}, and no table holds those of two families; give "
            f"`audio_features` {of_base}, or measure into a table of its own"
        )
    options = MeasureOptions(
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s or (defaults.MAX_SCENE_S if detect_scenes else None),
        digest_s=None if full or not detect_scenes else digest_s or defaults.DIGEST_S,
        digest_above_s=digest_s or defaults.DIGEST_ABOVE_S,
        audio_features=family,
        audio_track=audio_track,
        max_pixels=round(max_megapixels * 1e6),
    )
    return options if base is None else _with_scenes(options, title, base)


def _with_scenes(options: MeasureOptions, title: str, base: FeatureTable) -> MeasureOptions:
    rows = base.frame[base.frame["title"] == title]
    if rows.empty:
        titles = ", ".join(map(repr, base.frame["title"].unique()[:3]))
        raise FeatureTableError(
            f"the table has no title {title!r} (it has {titles}); name the source's file after its title, or leave the "
            "table out"
        )
    spans = rows[["scene", "start_s", "end_s"]].drop_duplicates().sort_values("scene").itertuples(index=False)
    return replace(
        options,
        scenes=tuple(
            Scene(title=title, index=int(s.scene), start_s=float(s.start_s), end_s=float(s.end_s)) for s in spans
        ),
        weights_s=tuple(base.metadata.weights_s.get(title, {}).items()),
        source_hash=base.metadata.source_hashes.get(title, ""),
    )


def measure_steps(
    source: Path,
    renditions: Sequence[Path],
    options: MeasureOptions,
    *,
    vmaf_logs: Sequence[str] = (),
    within: Path | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> Generator[FeatureTable | FailedRendition, None, None]:
    """Measure renditions of a source: each that could not be, and last the table of the others.

    Args:
        source: its media file, a path or URL.
        renditions: media files, playlists and manifests, and lists of files.
        options: how to measure.
        vmaf_logs: logs of video renditions, each as `LABEL=FILE`.
        within: a folder that no playlist or manifest may lead out of; each one's own when None.
        cache: where measurements are kept; the user's cache folder when None.
        jobs: processes; one per core when None.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        ArgumentError: labels are not told apart, or a list cannot be read.
        MediaError: the source cannot be measured, a package cannot be read, ffmpeg is missing, or workers are lost.
        OutputError: the cache cannot be written.
    """
    store, program = open_cache(cache), replace(find_ffmpeg(ffmpeg), stall_s=stall_s)
    with store.work_dir() as folder:
        found, failed = list_renditions(renditions, vmaf_logs, folder, within=within)
        yield from failed
        if not found:
            return
        with open_workers(jobs or os.cpu_count() or 1, None, ffmpeg=program) as workers:
            steps = measure_all(title_of(source), source, found, program, store, options, workers)
            yield from follow(steps, "looking at the source", feedback or Feedback())


def raise_failed_renditions(failures: Sequence[FailedRendition], num_renditions: int) -> None:
    """End a run whose other renditions are measured.

    Raises:
        AbrAllocError: the failure of the only rendition.
        FailedTitlesError: some of several failed.
    """
    if failures and num_renditions == 1:
        raise failures[0].error
    if failures:
        told = [(failed.rendition.label, str(failed.error)) for failed in failures]
        raise FailedTitlesError(told, num_renditions, "renditions")


def add_to(base: FeatureTable, measured: FeatureTable) -> FeatureTable:
    """A table with measured renditions of one of its titles added.

    Raises:
        FeatureTableError: the two have features of different versions, or both have one label.
    """
    for name in ("video_feature_version", "audio_feature_version"):
        mine, theirs = getattr(base.metadata, name), getattr(measured.metadata, name)
        if mine != theirs:
            raise FeatureTableError(
                f"the given table holds {name.replace('_', ' ')} {mine!r}, and this program measures {theirs!r}; "
                "extract it again"
            )
    keys = ["title", "kind", "target"]
    both = base.frame[keys].drop_duplicates().merge(measured.frame[keys].drop_duplicates(), on=keys)
    if len(both):
        raise FeatureTableError(
            f"the given table already has a rendition called {both['target'].iloc[0]!r} ({both['kind'].iloc[0]}); give "
            "another label"
        )
    names = joined_names([base.columns, measured.columns])
    frame = pd.concat([base.frame, measured.frame], ignore_index=True)[names]
    order = ["title", "scene", "kind", "codec", "height_px", "bitrate_kbps", "target"]
    frame = frame.sort_values(order, kind="stable", ignore_index=True)
    about, own = base.metadata.joined(measured.metadata), base.metadata
    return FeatureTable(frame, replace(about, grid=own.grid, grid_hash=own.grid_hash, probes=own.probes))


def measure_renditions(
    source: str | os.PathLike[str],
    renditions: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    base: FeatureTable | str | os.PathLike[str] | None = None,
    detect_scenes: bool = True,
    max_scene_s: float | None = None,
    digest_s: float | None = None,
    full: bool = False,
    audio_features: str | None = None,
    vmaf_logs: Sequence[str] = (),
    within: str | os.PathLike[str] | None = None,
    audio_track: int | None = None,
    max_megapixels: float = defaults.MAX_MEGAPIXELS,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> FeatureTable:
    """Measure renditions that exist against their source, per scene, and return a feature table.

    Nothing is encoded. Every rendition is found in the source by content; what cannot be held against it exactly is
    refused. Call it below `if __name__ == "__main__":`, as it starts processes.

    Args:
        source: the media file that they were made from, a path or URL.
        renditions: media files (video, audio or both), HLS playlists, DASH manifests, or lists (CSV with path, kind,
            label, vmaf_log); one or several.
        base: a table that has the title; renditions are measured over its scenes and added to it.
        detect_scenes: cut at scene changes; else the title is one scene.
        max_scene_s: cut longer scenes evenly, seconds; None for a minute, or no limit for a whole title.
        digest_s: score only so much of a longer title, seconds; None for 40 s of a title over two minutes.
        full: score all of it.
        vmaf_logs: logs of libvmaf that are taken instead of scoring, each as `LABEL=FILE`.
        within: a folder that no playlist or manifest may lead out of, links followed; each one's own when None.
        audio_features: family of the audio features, visqol or listener; the table's when None, visqol without one.
        audio_track: of the source, from 1; None for its own choice.
        max_megapixels: refuse larger pictures.
        cache: where measurements are kept; the user's cache folder when None.
        jobs: processes; one per core when None.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        ArgumentError: a value is out of its range, or labels are not told apart.
        AbrAllocError: the source or the table cannot be used; and, after all others are measured and kept in the cache,
            where a rendition could not be measured.
    """
    given = [renditions] if isinstance(renditions, (str, os.PathLike)) else list(renditions)
    if not given:
        raise ArgumentError("no rendition is given; give one file at least")
    if jobs is not None:
        require_number("jobs", jobs, 1)
    table = base if base is None or isinstance(base, FeatureTable) else read_features(base)
    place = parse_location(source)
    options = measure_options(
        title_of(place),
        table,
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s,
        digest_s=digest_s,
        full=full,
        audio_features=audio_features,
        audio_track=audio_track,
        max_megapixels=max_megapixels,
    )
    steps = list(
        measure_steps(
            place,
            [Path(one) for one in given],
            options,
            vmaf_logs=vmaf_logs,
            within=None if within is None else Path(within),
            cache=cache,
            jobs=jobs,
            ffmpeg=ffmpeg,
            stall_s=stall_s,
            feedback=feedback,
        )
    )
    failures = [step for step in steps if isinstance(step, FailedRendition)]
    tables = [step for step in steps if isinstance(step, FeatureTable)]
    num_measured = sum(len(kinds) for table in tables for kinds in table.metadata.renditions[title_of(place)].values())
    raise_failed_renditions(failures, len(failures) + num_measured)
    return tables[0] if table is None else add_to(table, tables[0])
