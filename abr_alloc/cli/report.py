"""`abr-alloc report`: a page that shows why a title gets the rates it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from abr_alloc.cli import options, places
from abr_alloc.cli.screen_options import phones_given, screen_options

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
@screen_options
@options.planning
@options.ffmpeg_option
def command(
    features: Path,
    output: Path,
    ladder_path: Path | None,
    sources: tuple[Path, ...],
    budgets_kbps: tuple[float, ...],
    measured_only: bool,
    screen: str | None,
    phones: float | None,
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
    from abr_alloc.cli.listening import listener
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.runs.report_run import report
    from abr_alloc.table.table import read_features

    page = report(
        select(read_features(features), Filters(**filters)),
        model_name,
        budgets_kbps=budgets_kbps,
        ladder=ladder_path,
        sources=sources,
        overhead=overhead,
        measured_only=measured_only,
        mix_audio=len(filters["audio_codecs"]) > 1,
        ffmpeg=ffmpeg_path,
        plan_command=_plan_command(click.get_current_context()),
        plan_scenes=filters["scenes"],
        feedback=listener(),
        phones=phones_given(screen, phones),
    )
    page.save(output)
    inform(f"{output}: {page.num_titles} title{'s' if page.num_titles > 1 else ''}, {len(page.content) / 1e6:.1f} MB")


def _plan_command(context: click.Context) -> list[str]:
    """The words of the command that plans as this page does, but for budget, title and scenes: what was asked for."""
    words = ["abr-alloc", "plan", str(context.params["features"])]
    for name, option in (
        ("model_name", "--model"),
        ("screen", "--screen"),
        ("phones", "--phones"),
        ("overhead", "--overhead"),
        ("video_codecs", "--video-codec"),
        ("video_encoders", "--encoder"),
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
