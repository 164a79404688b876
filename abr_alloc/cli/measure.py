"""`abr-alloc measure`: from renditions that exist to a feature table."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from abr_alloc import defaults
from abr_alloc.cli import options, places
from abr_alloc.location import is_remote

__all__ = ["command"]


@click.command("measure", short_help="Measure renditions that exist against their source, without an encode.")
@click.argument("source", type=options.LOCATION)
@click.argument("renditions", type=options.PATH, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=options.LOCATION, required=True, metavar="FEATURES.parquet",
    help="The feature table to write.",
)  # fmt: skip
@click.option(
    "--with", "base_path", type=options.LOCATION, metavar="FEATURES.parquet",
    help="A table that has the title, as `extract` made it: renditions are measured over its scenes, and the output "
    "has both.",
)  # fmt: skip
@click.option(
    "--vmaf-log", "vmaf_logs", multiple=True, metavar="LABEL=FILE",
    help="libvmaf's log (JSON, XML or CSV) of a video rendition, taken instead of scoring it again once a sample of "
    "frames agrees (repeatable).",
)  # fmt: skip
@click.option(
    "--within", type=options.PATH, metavar="FOLDER",
    help="A folder that no playlist or manifest may lead out of. [default: its own]",
)  # fmt: skip
@click.option(
    "--scenes/--whole", "detect_scenes", default=True, show_default=True,
    help="Cut at scene changes (scenes under 1 s are merged), or take the title whole.",
)  # fmt: skip
@click.option(
    "--max-scene", "max_scene_s", type=options.SECONDS,
    help="Cut longer scenes evenly, e.g. 10s. [default: 1min; with --whole no limit]",
)  # fmt: skip
@click.option(
    "--digest", "digest_s", type=options.SECONDS,
    help="Score only so much of the title, in stretches that stand for it. "
    f"[default: {defaults.DIGEST_S:g}s, of titles over {defaults.DIGEST_ABOVE_S / 60:g} min]",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Score all of the title, however long.")
@options.audio_features_option(f"{defaults.AUDIO_FEATURES}; with --with, those of its table")
@options.jobs_option
@options.cache_option
@options.audio_track_option
@options.max_megapixels_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    source: Path,
    renditions: tuple[Path, ...],
    output: Path,
    base_path: Path | None,
    vmaf_logs: tuple[str, ...],
    within: Path | None,
    detect_scenes: bool,
    max_scene_s: float | None,
    digest_s: float | None,
    full: bool,
    audio_features: str | None,
    jobs: int,
    cache_dir: Path | None,
    audio_track: int | None,
    max_megapixels: float,
    ffmpeg_path: str | None,
    stall_s: float,
) -> None:
    """Measure RENDITIONS of SOURCE that somebody else encoded, per scene (libvmaf, ViSQOL or the listener, bitrate from
    packets), and write a feature table: video, audio or muxed files, an HLS playlist or DASH manifest on disk, or a
    list (CSV with path, kind, label, vmaf_log).

    Each is found in the source by content, to the frame and to the sample; what cannot be held against it exactly is
    refused, with the reason.
    """
    _check_usage(base_path, detect_scenes, max_scene_s, digest_s, full)
    if output.suffix.lower() in (".csv", ".json", ".txt"):
        raise click.UsageError(f"the output {output} is a feature table, which is Parquet; name it .parquet")
    places.check_output(output, [source, *renditions])
    _spare_other_files(output)

    from abr_alloc.cli.listening import listener
    from abr_alloc.cli.printing import echo
    from abr_alloc.cli.rendition_table import rendition_table
    from abr_alloc.cli.verbosity import inform, is_quiet
    from abr_alloc.measure.extract import title_of
    from abr_alloc.measure.renditions import FailedRendition
    from abr_alloc.runs.measure_run import add_to, measure_options, measure_steps, raise_failed_renditions
    from abr_alloc.table.table import FeatureTable, read_features, write_features

    base = None if base_path is None else read_features(base_path)
    title = title_of(source)
    how = measure_options(
        title,
        base,
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s,
        digest_s=digest_s,
        full=full,
        audio_features=audio_features,
        audio_track=audio_track,
        max_megapixels=max_megapixels,
    )
    failures: list[FailedRendition] = []
    measured: FeatureTable | None = None
    steps = measure_steps(
        source,
        renditions,
        how,
        vmaf_logs=vmaf_logs,
        within=within,
        cache=cache_dir,
        jobs=jobs,
        ffmpeg=ffmpeg_path,
        stall_s=stall_s,
        feedback=listener(),
    )
    with contextlib.closing(steps):
        for step in steps:
            if isinstance(step, FailedRendition):
                failures.append(step)
            else:
                measured = step
    num_measured = 0
    if measured is not None:
        write_features(measured if base is None else add_to(base, measured), output)
        num_measured = sum(map(len, measured.metadata.renditions[title].values()))
        if not is_quiet():
            echo(rendition_table(measured, title))
        inform(f"{output}: {num_measured} renditions of {title} over {measured.frame['scene'].nunique()} scenes")
    raise_failed_renditions(failures, len(failures) + num_measured)


def _spare_other_files(output: Path) -> None:
    """Refuse to write over what is no table: it may be a rendition of a list, a stream of a package, or a log."""
    if is_remote(output) or not output.is_file():
        return
    with output.open("rb") as file:
        head = file.read(4)
    if head not in (b"", b"PAR1"):
        raise click.UsageError(f"the output {output} is there already and is no feature table; choose another with -o")


def _check_usage(
    base_path: Path | None, detect_scenes: bool, max_scene_s: float | None, digest_s: float | None, full: bool
) -> None:
    if digest_s is not None and (full or not detect_scenes):
        name = "--full" if full else "--whole"
        raise click.UsageError(f"--digest and {name} exclude each other; give one")
    if base_path is not None:
        given = {"--max-scene": max_scene_s is not None, "--digest": digest_s is not None, "--full": full}
        for name in (name for name, is_given in {**given, "--whole": not detect_scenes}.items() if is_given):
            raise click.UsageError(f"--with takes the scenes of its table, so {name} has no meaning; leave one out")
