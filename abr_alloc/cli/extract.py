"""`abr-alloc extract`: from media files to a feature table."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abr_alloc import defaults
from abr_alloc.cli import options, places
from abr_alloc.cli.completion import complete_grid, complete_model
from abr_alloc.codecs import ENCODED_AUDIO, TONE_MAPS, VIDEO_CODECS

if TYPE_CHECKING:
    from abr_alloc.table.table import FeatureTable

__all__ = ["command"]


def _check_usage(
    digest_s: float | None,
    full: bool,
    audio_only: bool,
    detect_scenes: bool,
    probes: str | None,
    model_name: str | None,
) -> None:
    if digest_s is not None:
        for given, name in ((full, "--full"), (audio_only, "--audio-only"), (not detect_scenes, "--whole")):
            if given:
                raise click.UsageError(f"--digest and {name} exclude each other; give one")
    if probes == "auto" and audio_only:
        raise click.UsageError("--probes auto chooses video renditions, and --audio-only has none; leave one out")
    if model_name is not None and probes == "all":
        raise click.UsageError("--model is for --probes auto; leave --model or --probes all out")


class _Written:
    """What was written, as it is told."""

    def __init__(self) -> None:
        self.num_titles = self.num_scenes = 0
        self.num_rows = {"video": 0, "audio": 0}
        self.num_digests = self.num_estimated = 0
        self.within_mos = 0.0

    def add(self, table: FeatureTable) -> None:
        frame = table.frame
        self.num_titles += frame["title"].nunique()
        self.num_scenes += len(frame[["title", "scene"]].drop_duplicates())
        self.num_digests += len(table.metadata.weights_s)
        self.within_mos = max(self.within_mos, *table.metadata.within_mos.values(), 0.0)
        if "estimated" in frame:
            self.num_estimated += int(frame["estimated"].sum())
        for kind in self.num_rows:
            self.num_rows[kind] += int((frame["kind"] == kind).sum())

    def __str__(self) -> str:
        video, audio = self.num_rows["video"], self.num_rows["audio"]
        digests = f"; {self.num_digests} measured as a digest (--full: all of them)" if self.num_digests else ""
        estimated = (
            f"; {self.num_estimated} of the video rows are estimated: AVQ within {self.within_mos:.2f} MOS of the "
            "measured one, 95 % (--probes all: measure them)"
            if self.num_estimated
            else ""
        )
        rows = f"{video} video and {audio} audio rows"
        return f"{self.num_titles} titles, {self.num_scenes} scenes, {rows}{digests}{estimated}"


@click.command("extract", short_help="Measure sources: encode a grid of renditions and write the feature table.")
@click.argument("sources", type=options.LOCATION, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=options.LOCATION, required=True, metavar="FEATURES.parquet|DIR",
    help="The feature table to write, or an existing folder for one table per title, each written as it is measured.",
)  # fmt: skip
@click.option(
    "--grid", default=defaults.GRID, show_default=True, metavar="NAME|FILE.toml",
    help="Renditions to probe (docs/formats.md).", shell_complete=complete_grid,
)  # fmt: skip
@click.option(
    "--scenes/--whole", "detect_scenes", default=True, show_default=True,
    help="Cut at scene changes (scenes under 1 s are merged), or take each title whole.",
)  # fmt: skip
@click.option(
    "--max-scene", "max_scene_s", type=options.SECONDS,
    help="Cut longer scenes evenly, e.g. 10s. [default: 1min; with --whole no limit]",
)  # fmt: skip
@click.option(
    "--video-codec", type=click.Choice(list(VIDEO_CODECS)),
    help=f"Video codec to probe; the grid's own choice when absent, {defaults.VIDEO_CODEC} where it makes none.",
)  # fmt: skip
@click.option(
    "--encoder", "video_encoders", multiple=True, metavar="NAME",
    help="Video encoder of the grid to probe (repeatable, docs/encoders.md); a codec's name for its usual one.",
)  # fmt: skip
@click.option(
    "--audio-codec", "audio_codecs", multiple=True, metavar="NAME",
    help=f"Audio codec to probe (repeatable): {', '.join(ENCODED_AUDIO)}, or an audio encoder of the grid; the grid's "
    "own choice when absent.",
)  # fmt: skip
@click.option(
    "--surround", "surround_codecs", multiple=True, metavar="NAME",
    help="Probe 5.1 besides stereo in this codec (repeatable): aac, ac3, eac3, opus, or an audio encoder of the grid's "
    "[audio.surround]. Without it 5.1 is mixed down. [docs/surround.md]",
)  # fmt: skip
@options.audio_features_option(defaults.AUDIO_FEATURES)
@click.option("--preset", help=f"Preset of a codec's usual encoder; {options.default_presets()} when absent.")
@click.option(
    "--digest", "digest_s", type=options.SECONDS,
    help="Measure only so much of each title, in stretches that stand for it. "
    f"[default: {defaults.DIGEST_S:g}s, of titles over {defaults.DIGEST_ABOVE_S / 60:g} min]",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Measure all of every title, however long.")
@click.option(
    "--probes", type=click.Choice(["auto", "all"]),
    help="auto: measure about a third of the video renditions, chosen as measurements come in, and estimate the "
    f"rest with an error bound (docs/measure-less.md); all: measure every one. [default: {defaults.PROBES}]",
)  # fmt: skip
@click.option(
    "--model", "model_name", metavar="NAME|PATH", shell_complete=complete_model,
    help=f"With --probes auto: the model whose AVQ counts. [default: {defaults.MODEL}]",
)  # fmt: skip
@click.option(
    "--tone-map", "tone_map", type=click.Choice(TONE_MAPS),
    help="Make HDR sources SDR in this way, and measure SDR renditions of that (docs/hdr.md); h264 needs it.",
)  # fmt: skip
@options.jobs_option
@options.cluster_option
@options.cache_option
@click.option("--keep-encodes", is_flag=True, help="Keep the encodes, in DIR/kept (large).")
@click.option("--audio-only", is_flag=True, help="Measure the audio alone: material for training, not for plans.")
@click.option(
    "--audio-track", type=click.IntRange(min=1), metavar="N", multiple=True,
    help="Audio track of the source, counted from 1; several are measured into one table, the film's own first. "
    "[default: one, by what the file says]",
)  # fmt: skip
@options.max_megapixels_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    sources: tuple[Path, ...],
    output: Path,
    grid: str,
    detect_scenes: bool,
    max_scene_s: float | None,
    video_codec: str | None,
    video_encoders: tuple[str, ...],
    audio_codecs: tuple[str, ...],
    surround_codecs: tuple[str, ...],
    audio_features: str | None,
    preset: str | None,
    jobs: int,
    scheduler: str | None,
    cache_dir: Path | None,
    keep_encodes: bool,
    audio_only: bool,
    digest_s: float | None,
    full: bool,
    probes: str | None,
    model_name: str | None,
    audio_track: tuple[int, ...],
    max_megapixels: float,
    tone_map: str | None,
    ffmpeg_path: str | None,
    stall_s: float,
) -> None:
    """Encode every SOURCE as a grid of video and audio renditions, measure each rendition per scene (libvmaf, ViSQOL
    or the listener, bitrate from packets), and write one feature table.

    Everything that takes time is cached: a run that was interrupted goes on where it stopped.
    """
    if video_codec is not None and video_encoders:
        raise click.UsageError("--video-codec and --encoder exclude each other; give one")
    _check_usage(digest_s, full, audio_only, detect_scenes, probes, model_name)
    folder = output if places.is_folder(output) else None
    if folder is None:
        if output.suffix.lower() in (".csv", ".json", ".txt"):
            raise click.UsageError(f"the output {output} is a feature table, which is Parquet; name it .parquet")
        places.check_output(output, sources)
    else:
        places.make_folder(folder)

    from abr_alloc.cli.listening import listener
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.measure.steps import FailedTitle
    from abr_alloc.runs.extract_run import extract_options, measure_sources, raise_failed
    from abr_alloc.table.table import join_tables, write_features

    how = extract_options(
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
        audio_features=audio_features or defaults.AUDIO_FEATURES,
        audio_only=audio_only,
        probes=probes or defaults.PROBES,
        model=model_name,
        audio_track=audio_track or None,
        max_megapixels=max_megapixels,
        keep_encodes=keep_encodes,
        tone_map=tone_map,
    )
    tables: list[FeatureTable] = []
    failures: list[FailedTitle] = []
    written = _Written()
    steps = measure_sources(
        sources,
        how,
        cache=cache_dir,
        jobs=jobs,
        scheduler=scheduler,
        ffmpeg=ffmpeg_path,
        stall_s=stall_s,
        feedback=listener(),
    )
    with contextlib.closing(steps):
        for step in steps:
            if isinstance(step, FailedTitle):
                failures.append(step)
            elif folder is None:
                tables.append(step)
            else:
                write_features(step, folder / f"{step.frame['title'].iloc[0]}.parquet")
                written.add(step)
    if tables:
        table = join_tables(tables)
        write_features(table, output)
        written.add(table)
    if written.num_titles:
        inform(f"{output}: {written}")
    raise_failed(failures, len(sources))
