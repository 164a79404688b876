"""Measure sources into feature tables."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.arguments import require_choice, require_number
from abr_alloc.audio_families import AUDIO_FAMILIES
from abr_alloc.codecs import TONE_MAPS
from abr_alloc.errors import ArgumentError, FailedTitlesError
from abr_alloc.location import parse_location
from abr_alloc.measure.cache import open_cache
from abr_alloc.measure.extract import ExtractOptions, FailedTitle, Progress
from abr_alloc.measure.extract import extract as extract_titles
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.media.grid import load_grid
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.feedback import Feedback
from abr_alloc.runs.sent_prober import probe_chooser
from abr_alloc.table.table import FeatureTable, join_tables
from abr_alloc.workers.open import open_workers

__all__ = ["extract", "extract_options", "measure_sources", "raise_failed"]


def extract_options(
    *,
    grid: str | os.PathLike[str] = defaults.GRID,
    video_codec: str | None = None,
    video_encoders: str | Sequence[str] = (),
    audio_codecs: str | Sequence[str] = (),
    surround_codecs: str | Sequence[str] = (),
    preset: str | None = None,
    detect_scenes: bool = True,
    max_scene_s: float | None = None,
    digest_s: float | None = None,
    full: bool = False,
    audio_features: str = defaults.AUDIO_FEATURES,
    audio_only: bool = False,
    probes: str = defaults.PROBES,
    model: Model | str | None = None,
    audio_track: int | Sequence[int] | None = None,
    max_megapixels: float = defaults.MAX_MEGAPIXELS,
    keep_encodes: bool = False,
    tone_map: str | None = None,
) -> ExtractOptions:
    """What to measure, with the defaults of docs/measure-less.md.

    Args:
        grid: renditions to probe, by name or file.
        video_codec: h264, hevc, vp9, av1 or vvc; the grid's own choice when None, h264 where it makes none.
        video_encoders: video encoders of the grid to probe instead, by name.
        audio_codecs: codecs, and audio encoders of the grid, to probe; the grid's own choice when empty.
        surround_codecs: codecs, and audio encoders of the grid, to probe in 5.1 besides, where a source has it.
        preset: of a codec's usual encoder; its default when None.
        detect_scenes: cut at scene changes; else each title is one scene.
        max_scene_s: cut longer scenes evenly, seconds; None for `defaults.MAX_SCENE_S`, or no limit for whole titles.
        digest_s: measure only so much of each longer title, seconds; None for `defaults.DIGEST_S`, of titles over
            `defaults.DIGEST_ABOVE_S`.
        full: measure all of every title.
        audio_features: family of the audio features, visqol or listener (docs/measure.md).
        audio_only: measure the audio alone.
        probes: `auto` measures about a third of each encoder's video renditions and estimates the rest; `all` measures
            all.
        model: with `auto`, the model whose plans count.
        audio_track: of the source, from 1; several are measured into one table, the first being the film's own. None
            for the source's own choice.
        max_megapixels: refuse larger pictures.
        keep_encodes: keep the encodes in the cache.
        tone_map: make HDR sources SDR in this way: bt2390, hable or clip; None to measure them as they are.

    Raises:
        ArgumentError: a value is out of its range.
        CheckpointError: there is no such model.
        GridError: the grid cannot be read, or has no targets for what is asked.
    """
    require_choice("probes", probes, ("auto", "all"))
    require_choice("audio_features", audio_features, tuple(AUDIO_FAMILIES))
    tracks = (audio_track,) if isinstance(audio_track, int) else tuple(audio_track or ())
    if tone_map is not None:
        require_choice("tone_map", tone_map, TONE_MAPS)
    for name, value in (
        *(("max_scene_s", max_scene_s), ("digest_s", digest_s)),
        *(("audio_track", number) for number in tracks),
    ):
        if value is not None:
            require_number(name, value, 0.0, above=True)
    require_number("max_megapixels", max_megapixels, 0.0, above=True)
    codecs = (audio_codecs,) if isinstance(audio_codecs, str) else tuple(audio_codecs)
    encoders = (video_encoders,) if isinstance(video_encoders, str) else tuple(video_encoders)
    in_surround = (surround_codecs,) if isinstance(surround_codecs, str) else tuple(surround_codecs)
    found = load_grid(str(grid))
    found.surround(in_surround)  # refused before any source is looked at
    if not audio_only:  # before any source is looked at
        for name in found.choose_video(encoders, video_codec):
            found.video_encoder(name, preset)
    return ExtractOptions(
        grid=found,
        video_codec=video_codec,
        video_encoders=encoders,
        audio_codecs=codecs,
        surround_codecs=in_surround,
        preset=preset,
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s or (defaults.MAX_SCENE_S if detect_scenes else None),
        audio_features=audio_features,
        audio_only=audio_only,
        keep_encodes=keep_encodes,
        digest_s=None if full or audio_only or not detect_scenes else digest_s or defaults.DIGEST_S,
        digest_above_s=digest_s or defaults.DIGEST_ABOVE_S,
        prober=None if probes == "all" or audio_only else probe_chooser(model),
        audio_track=tracks[0] if tracks else None,
        further_tracks=tracks[1:],
        max_pixels=round(max_megapixels * 1e6),
        tone_map=tone_map or "",
    )


def measure_sources(
    sources: Sequence[Path],
    options: ExtractOptions,
    *,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> Generator[FeatureTable | FailedTitle, None, None]:
    """Measure titles: the table of each as it is measured, or why it could not be.

    Args:
        sources: media files, paths or URLs.
        options: what to measure.
        cache: where measurements are kept; the user's cache folder when None.
        jobs: processes; one per core when None.
        scheduler: address of a Dask scheduler whose workers measure instead.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        MediaError: a source is not there, two have one name, ffmpeg is missing, or workers are lost.
        OutputError: the cache cannot be written.
        ClusterError: the cluster cannot be reached or used.
    """
    store, program = open_cache(cache), replace(find_ffmpeg(ffmpeg), stall_s=stall_s)
    stage = (feedback or Feedback()).stage("looking at sources")
    # Leaving the block stops the workers at once, wherever an interrupt lands.
    with open_workers(jobs or os.cpu_count() or 1, scheduler, ffmpeg=program) as workers, stage as update:
        for step in extract_titles(sources, program, store, options, workers):
            if isinstance(step, Progress):
                update(step.done, step.total, step.label)
            else:
                yield step


def raise_failed(failures: Sequence[FailedTitle], num_sources: int) -> None:
    """End a run whose other titles are measured.

    Raises:
        AbrAllocError: the failure of the only source.
        FailedTitlesError: some of several failed.
    """
    if failures and num_sources == 1:
        raise failures[0].error
    if failures:
        raise FailedTitlesError([(failed.name, str(failed.error)) for failed in failures], num_sources)


def extract(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    grid: str | os.PathLike[str] = defaults.GRID,
    video_codec: str | None = None,
    video_encoders: str | Sequence[str] = (),
    audio_codecs: str | Sequence[str] = (),
    surround_codecs: str | Sequence[str] = (),
    preset: str | None = None,
    detect_scenes: bool = True,
    max_scene_s: float | None = None,
    digest_s: float | None = None,
    full: bool = False,
    audio_features: str = defaults.AUDIO_FEATURES,
    audio_only: bool = False,
    probes: str = defaults.PROBES,
    model: Model | str | None = None,
    audio_track: int | Sequence[int] | None = None,
    max_megapixels: float = defaults.MAX_MEGAPIXELS,
    tone_map: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> FeatureTable:
    """Encode every source as a grid of renditions, measure each per scene, and return one feature table.

    Everything that takes time is cached: a run that was interrupted goes on where it stopped. Call it below
    `if __name__ == "__main__":`, as it starts processes.

    Args:
        sources: one media file or several, paths or URLs.
        grid: renditions to probe, by name or file.
        video_codec: h264, hevc, vp9, av1 or vvc; the grid's own choice when None, h264 where it makes none.
        video_encoders: video encoders of the grid to probe instead, by name.
        audio_codecs: codecs, and audio encoders of the grid, to probe; the grid's own choice when empty.
        surround_codecs: codecs, and audio encoders of the grid, to probe in 5.1 besides, where a source has it.
        preset: of a codec's usual encoder; its default when None.
        detect_scenes: cut at scene changes; else each title is one scene.
        max_scene_s: cut longer scenes evenly, seconds; None for a minute, or no limit for whole titles.
        digest_s: measure only so much of each longer title, seconds; None for 40 s of titles over two minutes.
        full: measure all of every title.
        audio_features: family of the audio features, visqol or listener (docs/measure.md).
        audio_only: measure the audio alone: material for training, not for plans.
        probes: `auto` measures about a third of each encoder's video renditions and estimates the rest; `all` measures
            all.
        model: with `auto`, the model whose plans count.
        audio_track: of the source, from 1; several are measured into one table, the first being the film's own. None
            for the source's own choice.
        max_megapixels: refuse larger pictures.
        tone_map: make HDR sources SDR in this way: bt2390, hable or clip; None to measure them as they are.
        cache: where measurements are kept; the user's cache folder when None.
        jobs: processes; one per core when None.
        scheduler: address of a Dask scheduler whose workers measure instead.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        ArgumentError: a value is out of its range.
        AbrAllocError: a source is not there, ffmpeg is missing or a cluster cannot be used; and, after all others are
            measured and kept in the cache, where a title could not be measured.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if not given:
        raise ArgumentError("`sources` is empty; give one media file at least")
    if jobs is not None:
        require_number("jobs", jobs, 1)
    places = [parse_location(place) for place in given]
    options = extract_options(
        grid=grid,
        video_codec=video_codec,
        video_encoders=video_encoders,
        audio_codecs=audio_codecs,
        surround_codecs=surround_codecs,
        preset=preset,
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s,
        digest_s=digest_s,
        full=full,
        audio_features=audio_features,
        audio_only=audio_only,
        probes=probes,
        model=model,
        audio_track=audio_track,
        max_megapixels=max_megapixels,
        tone_map=tone_map,
    )
    steps = list(
        measure_sources(
            places,
            options,
            cache=cache,
            jobs=jobs,
            scheduler=scheduler,
            ffmpeg=ffmpeg,
            stall_s=stall_s,
            feedback=feedback,
        )
    )
    raise_failed([step for step in steps if isinstance(step, FailedTitle)], len(places))
    return join_tables([step for step in steps if isinstance(step, FeatureTable)])
