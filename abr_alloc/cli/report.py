"""`abr-alloc report`: a page that shows why a title gets the rates it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abr_alloc.cli import options, places

if TYPE_CHECKING:
    from abr_alloc.allocation.design import TitleLadder
    from abr_alloc.allocation.surface import QualitySurface
    from abr_alloc.models.checkpoint import Model
    from abr_alloc.table.table import FeatureTable

__all__ = ["command"]


@click.command("report", short_help="Make a page with budget slider, relevance and ladder.")
@options.features_argument
@click.option("-o", "--output", type=options.PATH, required=True, metavar="REPORT.html", help="The page to write.")
@options.ladder_option
@click.option(
    "--source",
    "sources",
    type=options.PATH,
    multiple=True,
    metavar="FILE|DIR",
    help="A title's source, for thumbnails, or a folder of them (repeatable).",
)
@click.option(
    "--budget",
    "budgets_kbps",
    type=options.BITRATE,
    multiple=True,
    help="A budget that the slider must stop at (repeatable); it opens at the first. A middling one when absent.",
)
@options.measured_only_option
@options.planning
@options.ffmpeg_option
def command(
    features: Path,
    output: Path,
    ladder_path: Path | None,
    sources: tuple[Path, ...],
    budgets_kbps: tuple[float, ...],
    measured_only: bool,
    model_name: str,
    overhead: float,
    ffmpeg_path: str | None,
    **filters: Any,
) -> None:
    """Write one HTML page about every title of FEATURES: a budget slider that moves the surface, the chosen pair and
    its price, relevance per scene, the ladder beside a fixed one, and how far to trust it all. With several titles it
    begins with a table of them.

    The page is one file, opens from disk and fetches nothing.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"the output {output} must end in .html")
    places.check_output(output, [features, *sources, *([ladder_path] if ladder_path else [])])

    from abr_alloc.allocation.filters import Filters, select
    from abr_alloc.allocation.plan import middling_budget_kbps, planning_surfaces
    from abr_alloc.allocation.surface import build_surfaces, by_title
    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.shown_ladders import find_ladders
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.models.checkpoint import load_model
    from abr_alloc.report.about import about_data
    from abr_alloc.report.budget_sweep import budget_stops
    from abr_alloc.report.page import render_page
    from abr_alloc.report.page_data import title_data
    from abr_alloc.table.table import read_features
    from abr_alloc.writing import replace_file

    table = select(read_features(features), Filters(**filters))
    model = load_model(model_name)
    measured = list(build_surfaces(table, model, overhead=overhead))
    surfaces = list(planning_surfaces(measured, overhead=overhead, measured_only=measured_only))
    titles = list(by_title(measured))
    names = [scenes[0].title for scenes in titles]
    files = _match(sources, names, table)
    mix_audio = len(filters["audio_codecs"]) > 1
    ladder_of, warnings = find_ladders(ladder_path, names, table, model, overhead, mix_audio=mix_audio)
    middling = middling_budget_kbps(measured)
    start_kbps = budgets_kbps[0] if budgets_kbps else middling
    stops = budget_stops(surfaces, [start_kbps, *budgets_kbps])
    pages = []
    with progress("first title") as update:
        for title, scenes, planned in zip(names, titles, by_title(surfaces), strict=True):
            designed = ladder_of(scenes)
            pages.append(
                title_data(
                    scenes,
                    planned,
                    stops,
                    model,
                    middling_kbps=middling,
                    overhead=overhead,
                    measured_only=measured_only,
                    ladder=designed,
                    thumbnails=_thumbnails(files[title], scenes, ffmpeg_path) if title in files else {},
                    warnings=_warnings(scenes, designed, model, select(table, Filters(titles=(title,)))),
                )
            )
            update(len(pages), len(titles), title)
    about = about_data(
        table,
        model,
        stops,
        start_kbps=start_kbps,
        middling_kbps=middling,
        overhead=overhead,
        measured_only=measured_only,
        plan_command=_plan_command(click.get_current_context()),
        plan_scenes=filters["scenes"],
        warnings=warnings,
    )
    content = render_page(about, pages)
    replace_file(output, content)
    inform(f"{output}: {len(pages)} title{'s' if len(pages) > 1 else ''}, {len(content) / 1e6:.1f} MB")


def _plan_command(context: click.Context) -> list[str]:
    """The words of the command that plans as this page does, but for budget, title and scenes: what was asked for."""
    words = ["abr-alloc", "plan", str(context.params["features"])]
    for name, option in (
        ("model_name", "--model"),
        ("overhead", "--overhead"),
        ("video_codecs", "--video-codec"),
        ("audio_codecs", "--audio-codec"),
        ("min_height_px", "--min-height"),
        ("max_height_px", "--max-height"),
    ):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value = context.params[name]
            words += [
                word for item in (value if isinstance(value, tuple) else (value,)) for word in (option, str(item))
            ]
    return [*words, "--measured-only"] if context.params["measured_only"] else words


def _warnings(
    scenes: Sequence[QualitySurface], designed: TitleLadder | str, model: Model, rows: FeatureTable
) -> list[str]:
    from abr_alloc.allocation.validity import outside_validity
    from abr_alloc.cli.tables import DIGEST_NOTE

    outside = outside_validity((v for s in scenes for v in s.video), (a for s in scenes for a in s.audio), model, rows)
    found = []
    if outside:
        found.append(
            "Some of the renditions leave the range that the model was made for: "
            f"{', '.join(outside)}. Trust those less."
        )
    if scenes[0].title in rows.metadata.weights_s:
        found.append(DIGEST_NOTE)
    if not isinstance(designed, str) and any(rung.video.interpolated for rung in designed.ladder.rungs):
        found.append("The ladder's rates lie between measured ones: AVQ is interpolated there.")
    return found


def _thumbnails(source: Path, scenes: Sequence[QualitySurface], ffmpeg_path: str | None) -> Mapping[int, bytes]:
    """JPEG bytes by scene."""
    from abr_alloc.media.ffmpeg import find_ffmpeg
    from abr_alloc.media.probe import NO_LIMIT, probe
    from abr_alloc.media.seek import read_key_times
    from abr_alloc.media.thumbnail import thumbnail

    ffmpeg = find_ffmpeg(ffmpeg_path)
    info = probe(source, ffmpeg, max_pixels=NO_LIMIT)  # it was measured: that decided
    keys = read_key_times(info)
    return {s.scene: thumbnail(ffmpeg, info, s.start_s, s.end_s, keys) for s in scenes}


def _match(sources: Sequence[Path], titles: Sequence[str], table: FeatureTable) -> dict[str, Path]:
    """The source of each title: the file of its name, which must be the one that was measured.

    Raises:
        UnsupportedMediaError: a file is not there, belongs to no title, or has changed since.
    """
    from abr_alloc.errors import UnsupportedMediaError
    from abr_alloc.media.probe import content_hash

    found: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise UnsupportedMediaError(f"{source} does not exist; correct --source", path=str(source))
        files = sorted(p for p in source.iterdir() if p.is_file()) if source.is_dir() else [source]
        matched = {title: path for path in files for title in (path.name, path.stem) if title in titles}
        if not matched:
            listed = ", ".join(titles[:5]) + (", ..." if len(titles) > 5 else "")
            raise UnsupportedMediaError(
                f"{source} is no title's source: a title is named as its file; the table has {listed}", path=str(source)
            )
        found |= matched
    for title, path in found.items():
        measured = table.metadata.source_hashes.get(title)
        if measured is not None and content_hash(path) != measured:
            raise UnsupportedMediaError(
                f"{path} is not the file that title {title!r} was measured from (its SHA-256 differs); give that one, "
                "or leave --source out",
                path=str(path),
            )
    return found
