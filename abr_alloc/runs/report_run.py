"""A page that shows why a title gets the rates it gets."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.plan import middling_budget_kbps, planning_surfaces
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.allocation.validity import measuring_notes, outside_validity
from abr_alloc.arguments import require_budgets
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.formats.audit_document import title_object
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import HDR_NOTE
from abr_alloc.parameters import with_options
from abr_alloc.reporting.about import about_data
from abr_alloc.reporting.budget_sweep import budget_stops
from abr_alloc.reporting.page import render_page
from abr_alloc.reporting.page_data import title_data
from abr_alloc.reporting.shot_data import shots_object
from abr_alloc.runs.audit_run import Audits
from abr_alloc.runs.catalogue_run import table_of
from abr_alloc.runs.feedback import Feedback
from abr_alloc.runs.ladder_run import encoders_in
from abr_alloc.runs.shared_model import as_model
from abr_alloc.runs.shown_ladders import find_ladders
from abr_alloc.table.table import FeatureTable
from abr_alloc.writing import replace_file

__all__ = ["ReportPage", "report"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportPage:
    """A report: one HTML file that fetches nothing."""

    content: bytes
    """The file."""
    num_titles: int
    """Titles in it."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file.

        Raises:
            OutputError: it cannot be written.
        """
        replace_file(Path(path), self.content)

    def __repr__(self) -> str:
        return f"ReportPage(num_titles={self.num_titles}, {len(self.content) / 1e6:.1f} MB)"

    def _repr_html_(self) -> str:
        page = html.escape(self.content.decode(), quote=True)
        return f'<iframe srcdoc="{page}" width="100%" height="900" style="border: 0"></iframe>'


def report(
    features: FeatureTable | str | os.PathLike[str],
    model: Model | str | None = None,
    *,
    budgets_kbps: float | Sequence[float] = (),
    ladder: str | os.PathLike[str] | None = None,
    audit: Audits | None = None,
    sources: Sequence[str | os.PathLike[str]] = (),
    overhead: float = defaults.OVERHEAD,
    measured_only: bool = False,
    mix_audio: bool = False,
    ffmpeg: str | None = None,
    plan_command: Sequence[str] = ("abr-alloc", "plan", "FEATURES"),
    plan_scenes: Sequence[int] = (),
    feedback: Feedback | None = None,
    phones: float = 0.0,
) -> ReportPage:
    """Make a page with a budget slider, relevance per scene and the ladder of every title.

    Args:
        features: a feature table, or where tables are: a file, a folder, or a pattern.
        model: a model, its name, or its folder; None for the default.
        budgets_kbps: where the slider must stop; it opens at the first. A middling budget when empty.
        ladder: a ladder file, or a folder of them; the default design when None.
        audit: audits of the ladders that are shipped, of the same table.
        sources: the titles' sources, for thumbnails, or folders of them.
        overhead: container overhead as a share of the streams' rate.
        measured_only: as in `plan`.
        mix_audio: as in `DesignOptions`, for ladders that are designed.
        ffmpeg: program, for thumbnails; the one that is found when None.
        plan_command: words of the command that plans as the page does, which it shows.
        plan_scenes: scenes that the table was narrowed to, for the same.
        feedback: who listens.
        phones: as in `plan`.

    Raises:
        CheckpointError: there is no such model, or it was trained on other features.
        FeatureTableError: the table breaks the schema, or a scene lacks audio or video rows.
        LadderFormatError: the ladder file cannot be read, or has none of the titles.
        UnsupportedMediaError: a source is not there, belongs to no title, or has changed since.
    """
    table, model, feedback = table_of(features), as_model(model, phones), feedback or Feedback()
    measured = list(build_surfaces(table, model, overhead=overhead))
    surfaces = list(planning_surfaces(measured, overhead=overhead, measured_only=measured_only))
    titles = list(by_title(measured))
    names = [scenes[0].title for scenes in titles]
    files = _match([Path(source) for source in sources], names, table)
    path = None if ladder is None else Path(ladder)
    ladder_of, warnings = find_ladders(path, names, table, model, overhead, mix_audio=mix_audio)
    middling = middling_budget_kbps(measured)
    budgets = require_budgets("budgets_kbps", budgets_kbps)
    start_kbps = budgets[0] if budgets else middling
    stops = budget_stops(surfaces, [start_kbps, *budgets])
    audits = {} if audit is None else {one.title: title_object(one) for one in audit}
    pages, encoders = [], encoders_in(table)
    with feedback.stage("first title") as update:
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
                    audit=audits.get(title),
                    thumbnails=_thumbnails(files[title], scenes, ffmpeg) if title in files else {},
                    warnings=_warnings(scenes, designed, model, _rows_of(table, title)),
                )
                | {"shots": None if isinstance(designed, str) else shots_object(designed.ladder, scenes, encoders)}
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
        plan_command=list(plan_command),
        plan_scenes=tuple(plan_scenes),
        warnings=warnings,
    )
    return ReportPage(content=render_page(about, pages), num_titles=len(pages))


def _rows_of(table: FeatureTable, title: str) -> FeatureTable:
    return FeatureTable.checked(table.frame[table.frame["title"] == title], table.metadata)


def _warnings(
    scenes: Sequence[QualitySurface], designed: TitleLadder | str, model: Model, rows: FeatureTable
) -> list[str]:
    outside = outside_validity((v for s in scenes for v in s.video), (a for s in scenes for a in s.audio), model, rows)
    found = []
    if outside:
        found.append(
            "Some of the renditions leave the range that the model was made for: "
            f"{', '.join(outside)}. Trust those less."
        )
    if any(v.dynamic_range != "SDR" for v in scenes[0].video):
        found.append(HDR_NOTE)
    found += map(with_options, measuring_notes(rows, {scenes[0].title}))
    if not isinstance(designed, str) and any(rung.video.interpolated for rung in designed.ladder.rungs):
        found.append("The ladder's rates lie between measured ones: AVQ is interpolated there.")
    return found


def _thumbnails(source: Path, scenes: Sequence[QualitySurface], ffmpeg_path: str | None) -> Mapping[int, bytes]:
    """JPEG bytes by scene."""
    # Without thumbnails a report needs neither ffmpeg nor libav.
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
    found: dict[str, Path] = {}
    if sources:
        from abr_alloc.media.probe import content_hash
    for source in sources:
        if not source.exists():
            raise UnsupportedMediaError(f"{source} does not exist; correct `sources`", path=str(source))
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
                "or leave `sources` out",
                path=str(path),
            )
    return found
