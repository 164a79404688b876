"""`abr-alloc extract`: from media files to a feature table."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from abr_alloc.cli import options
from abr_alloc.cli.completion import complete_grid

__all__ = ["command"]


@click.command("extract", short_help="Measure sources: encode a grid of renditions and write the feature table.")
@click.argument("sources", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FEATURES.parquet",
    help="The feature table to write.",
)  # fmt: skip
@click.option(
    "--grid", default="hull", show_default=True, metavar="NAME|FILE.toml",
    help="Renditions to probe (docs/formats.md).", shell_complete=complete_grid,
)  # fmt: skip
@click.option(
    "--scenes/--whole", "detect_scenes", default=True, show_default=True,
    help="Cut at scene changes (scenes under 1 s are merged), or take each title whole.",
)  # fmt: skip
@click.option("--max-scene", "max_scene_s", type=options.SECONDS, help="Cut longer scenes evenly, e.g. 10s.")
@click.option("--video-codec", type=click.Choice(["h264", "hevc", "av1"]), default="h264", show_default=True)
@click.option(
    "--audio-codec", "audio_codecs", type=click.Choice(["aac", "opus", "heaac", "heaacv2"]), multiple=True,
    help="Audio codec to probe (repeatable); the grid's own choice when absent.",
)  # fmt: skip
@click.option("--preset", help="Video encoder preset; h264 and hevc: fast, av1: 8 when absent.")
@options.jobs_option
@options.cache_option
@click.option("--keep-encodes", is_flag=True, help="Keep the encodes, in DIR/kept (large).")
@click.option("--audio-only", is_flag=True, help="Measure the audio alone: material for training, not for plans.")
@options.ffmpeg_option
def command(
    sources: tuple[Path, ...],
    output: Path,
    grid: str,
    detect_scenes: bool,
    max_scene_s: float | None,
    video_codec: str,
    audio_codecs: tuple[str, ...],
    preset: str | None,
    jobs: int,
    cache_dir: Path | None,
    keep_encodes: bool,
    audio_only: bool,
    ffmpeg_path: str | None,
) -> None:
    """Encode every SOURCE as a grid of video and audio renditions, measure each rendition per scene (libvmaf, ViSQOL,
    bitrate from packets), and write one feature table.

    Everything that takes time is cached: a run that was interrupted goes on where it stopped.
    """
    options.check_output(output, sources)

    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.features.cache import Cache, default_cache_dir
    from abr_alloc.features.extract import ExtractOptions, Progress, extract
    from abr_alloc.features.table import FeatureTable, write_features
    from abr_alloc.media.ffmpeg import find_ffmpeg
    from abr_alloc.media.grid import load_grid

    how = ExtractOptions(
        grid=load_grid(grid),
        video_codec=video_codec,
        audio_codecs=audio_codecs,
        preset=preset,
        detect_scenes=detect_scenes,
        max_scene_s=max_scene_s,
        audio_only=audio_only,
        jobs=jobs,
        keep_encodes=keep_encodes,
    )
    steps = extract(sources, find_ffmpeg(ffmpeg_path), Cache(cache_dir or default_cache_dir()), how)
    table: FeatureTable | None = None
    # Closing the generator stops the workers at once, wherever an interrupt lands.
    with contextlib.closing(steps), progress("looking at sources") as update:
        for step in steps:
            if isinstance(step, Progress):
                update(step.done, step.total, step.label)
            else:
                table = step
    assert table is not None  # extract yields the table last
    write_features(table, output)
    frame = table.frame
    counts = frame.groupby("kind")["target"].size()
    inform(
        f"{output}: {frame['title'].nunique()} titles, {len(frame.groupby(['title', 'scene']))} scenes, "
        f"{counts.get('video', 0)} video and {counts.get('audio', 0)} audio rows"
    )
