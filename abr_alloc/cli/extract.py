"""`abr-alloc extract`: from media files to a feature table."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from abr_alloc.cli import options

__all__ = ["command"]


@click.command("extract", short_help="Measure sources: encode a grid of renditions and write the feature table.")
@click.argument("sources", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FEATURES.parquet",
    help="The feature table to write.",
)  # fmt: skip
@click.option(
    "--grid", default="hull", show_default=True, metavar="NAME|FILE.toml", help="Renditions to probe (docs/formats.md)."
)
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
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 1,
    help="Worker processes; one per core by default.",
)
@click.option(
    "--cache", "cache_dir", type=click.Path(path_type=Path), metavar="DIR",
    help="Where measurements are kept; ABR_ALLOC_CACHE, or the user's cache folder, when absent.",
)  # fmt: skip
@click.option("--keep-encodes", is_flag=True, help="Keep the encodes, in DIR/kept (large).")
@click.option("--audio-only", is_flag=True, help="Measure the audio alone: material for training, not for plans.")
@options.ffmpeg
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

    from abr_alloc.cli.progress import progress_bar
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
    bar = progress_bar()
    table: FeatureTable | None = None
    # Closing the generator stops the workers at once, wherever an interrupt lands.
    with contextlib.closing(steps), bar or contextlib.nullcontext():
        task = bar.add_task("looking at sources", total=None) if bar else None
        for step in steps:
            if isinstance(step, FeatureTable):
                table = step
            elif bar is not None and task is not None and isinstance(step, Progress):
                bar.update(task, completed=step.done, total=max(step.total, 1e-9), description=step.label[-60:])
    assert table is not None  # extract yields the table last
    write_features(table, output)
    frame = table.frame
    counts = frame.groupby("kind")["target"].size()
    click.echo(
        f"{output}: {frame['title'].nunique()} titles, {len(frame.groupby(['title', 'scene']))} scenes, "
        f"{counts.get('video', 0)} video and {counts.get('audio', 0)} audio rows",
        err=True,
    )
