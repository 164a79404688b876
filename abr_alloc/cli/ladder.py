"""`abr-alloc ladder`: the rungs that serve an audience best."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options
from abr_alloc.cli.completion import complete_network, complete_reference

if TYPE_CHECKING:
    import pandas as pd

    from abr_alloc.allocation.reference import ReferenceLadder
    from abr_alloc.features.table import FeatureTable

__all__ = ["command"]


class _Rungs(click.ParamType):
    """A number of rungs, or auto."""

    name = "number|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "auto" or isinstance(value, int):
            return value
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if not 1 <= number <= 24:
            self.fail(f"{value!r} is no number of rungs; give 1 to 24, or auto", param, ctx)
        return number


class _Sizes(click.ParamType):
    """Short sides: 234p..1080p, or 240p,360p,720p."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        ranges = []
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d+)p?(?:\.\.(\d+)p?)?\s*", part)
            if match is None:
                self.fail(f"{part!r} is no size; write 720p, 234p..1080p, or several with commas", param, ctx)
            low, high = int(match[1]), int(match[2] or match[1])
            if low > high:
                self.fail(f"{part!r} runs downwards; write {high}p..{low}p", param, ctx)
            ranges.append((low, high))
        return tuple(ranges)


@click.command("ladder", short_help="Design the rungs that serve an audience best.")
@options.features_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="LADDER.json|.csv|DIR",
    help="A ladder file (docs/formats.md), CSV, or an existing folder for a ladder file per title.",
)
@click.option("--rungs", type=_Rungs(), default="6", show_default=True, help="Or auto: as many as are worth having.")
@click.option(
    "--jnd",
    "jnd_mos",
    type=options.FiniteRange(0, 4),
    default=0.1,
    show_default=True,
    help="With auto: what a rung must add to the one below it, MOS.",
)
@click.option(
    "--network",
    default="lognormal:median=3M,sigma=0.9",
    show_default=True,
    metavar="NETWORK",
    shell_complete=complete_network,
    help="Bandwidth of the audience: lognormal:median=RATE,sigma=NUMBER, a .csv file (kbps,weight), 3g, 4g or fixed.",
)
@click.option(
    "--max-audio", type=click.IntRange(min=1), default=3, show_default=True, help="Most distinct audio renditions."
)
@click.option("--min-kbps", type=options.KBPS, help="Least total rate of a rung.")
@click.option("--max-kbps", type=options.KBPS, help="Largest total rate of a rung.")
@click.option(
    "--min-ratio",
    type=options.FiniteRange(1, min_open=True),
    default=1.3,
    show_default=True,
    help="Least ratio of the total rates of successive rungs.",
)
@click.option(
    "--max-ratio",
    type=options.FiniteRange(1, min_open=True),
    default=2.5,
    show_default=True,
    help="Largest ratio of the total rates of successive rungs.",
)
@click.option(
    "--top-avq",
    "top_avq_mos",
    type=options.FiniteRange(1, 5),
    help="Offer nothing dearer than the cheapest pair that reaches this AVQ.",
)
@click.option(
    "--rates",
    "--sizes",
    "sides_px",
    type=_Sizes(),
    default=(),
    help="Allowed sizes by their short side: 234p..1080p, or 240p,720p.",
)
@click.option(
    "--round", "round_kbps", type=options.KBPS, default="5k", show_default=True, help="Video rates are multiples of it."
)
@click.option("--shared", is_flag=True, help="One ladder for all titles, each with the same weight.")
@click.option(
    "--compare",
    "reference_name",
    metavar="NAME|LADDER.json",
    shell_complete=complete_reference,
    help="Hold it against a fixed ladder: apple-hls-avc, apple-hls-hevc, or a ladder file.",
)
@options.planning
@click.option("--json", "as_json", is_flag=True, help="Print the ladder file instead of tables.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per rung.")  # fmt: skip
def command(
    features: Path,
    output: Path | None,
    rungs: int | str,
    jnd_mos: float,
    network: str,
    max_audio: int,
    min_kbps: float | None,
    max_kbps: float | None,
    min_ratio: float,
    max_ratio: float,
    top_avq_mos: float | None,
    sides_px: tuple[tuple[int, int], ...],
    round_kbps: float,
    shared: bool,
    reference_name: str | None,
    model_name: str,
    overhead: float,
    as_json: bool,
    as_csv: bool,
    **filters: Any,
) -> None:
    """Design, for every title of FEATURES, the ladder of audio/video pairs with the highest expected AVQ over an
    audience whose players take the highest rung that their bandwidth allows. Rates between the measured ones are
    interpolated. The answer is exact over the candidate pairs.

    Exit code 3 when the constraints leave no ladder.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; give one")
    folder = output if output is not None and output.is_dir() else None
    suffix = output.suffix.lower() if output is not None and folder is None else ""
    if output is not None and folder is None and suffix not in (".json", ".csv"):
        raise click.UsageError(f"the output {output} must end in .json or .csv, or be an existing folder")
    if (as_json and suffix == ".csv") or (as_csv and suffix == ".json"):
        raise click.UsageError(f"--{'json' if as_json else 'csv'} does not fit the output {output}; rename it")
    if folder is None:
        options.check_output(output, [features, Path(network), Path(reference_name or network)])
    elif as_csv:
        raise click.UsageError(f"--csv does not fit the folder {output}: ladder files are JSON; name a .csv file")

    from abr_alloc.allocation.audience import PRESETS, read_audience
    from abr_alloc.allocation.design import DesignOptions, design_catalogue, design_titles
    from abr_alloc.allocation.rung import LadderRules
    from abr_alloc.allocation.surface import build_surfaces, select
    from abr_alloc.cli.ladder_table import ladder_csv, ladder_text
    from abr_alloc.cli.plan import model_object
    from abr_alloc.cli.tables import write_or_print
    from abr_alloc.export.ladder_json import ladder_document
    from abr_alloc.features.table import read_features
    from abr_alloc.models.checkpoint import load_model

    audience = read_audience(network)
    rules = LadderRules(
        max_audio=max_audio,
        min_kbps=min_kbps or 0.0,
        max_kbps=max_kbps or math.inf,
        min_ratio=min_ratio,
        max_ratio=max_ratio,
        top_avq_mos=math.inf if top_avq_mos is None else top_avq_mos,
        sides_px=sides_px,
    )
    reference = None if reference_name is None else _reference(reference_name)
    table = select(read_features(features), **filters)
    model = load_model(model_name)
    wanted = DesignOptions(
        num_rungs=None if isinstance(rungs, str) else rungs,
        jnd_mos=jnd_mos,
        rules=rules,
        round_kbps=round_kbps,
        overhead=overhead,
        interval_mos=model.interval_mos,
    )
    surfaces = build_surfaces(table, model, overhead=overhead)
    if shared:
        ladders = [design_catalogue(surfaces, audience, wanted, reference)]
    else:
        ladders = design_titles(surfaces, audience, wanted, reference)
    described = " = ".join([network, *PRESETS.get(network, ())[:1]])
    provenance = {
        "model": model_object(model),
        "features": _features_object(table),
        "options": _options_object(wanted, described, reference_name, shared),
    }
    if folder is not None:
        for found, name in zip(ladders, _file_names([found.ladder.title for found in ladders]), strict=True):
            path = folder / name
            only = _features_object(table, found.ladder.title)
            write_or_print(_json(ladder_document([found], provenance | {"features": only})), path)
    elif as_json or suffix == ".json":
        write_or_print(_json(ladder_document(ladders, provenance)), output)
    elif as_csv or suffix == ".csv":
        write_or_print(ladder_csv(ladders), output)
    if not (as_json or as_csv) or output is not None:
        click.echo(ladder_text(ladders, described, model.name, free_number=wanted.num_rungs is None), nl=False)


def _file_names(titles: Sequence[str]) -> list[str]:
    """A name per title, without what a file system may not take; numbered where two would be equal."""
    names: list[str] = []
    for title in titles:
        stem = re.sub(r"[^\w.-]+", "-", title).strip(".") or "title"
        choices = itertools.chain([f"{stem}.json"], (f"{stem}-{i}.json" for i in itertools.count(2)))
        names.append(next(name for name in choices if name.casefold() not in map(str.casefold, names)))
    return names


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _reference(name: str) -> ReferenceLadder:
    from abr_alloc.allocation.reference import load_reference
    from abr_alloc.errors import LadderFormatError
    from abr_alloc.export.ladder_json import as_reference, read_ladders

    if not name.lower().endswith(".json"):
        return load_reference(name)
    found = read_ladders(Path(name))
    if len(found) > 1:
        raise LadderFormatError(
            f"{name} holds {len(found)} ladders; compare with a file of one (-o FOLDER writes them)"
        )
    return as_reference(found[0], Path(name).stem)


def _features_object(table: FeatureTable, title: str | None = None) -> dict[str, Any]:
    about = table.metadata
    titles = set(table.frame["title"]) if title is None or title not in about.source_hashes else {title}
    return {
        "grid": about.grid,
        "grid_hash": about.grid_hash,
        "libvmaf_version": about.libvmaf_version,
        "visqol_version": about.visqol_version,
        "ffmpeg_version": about.ffmpeg_version,
        "source_hashes": {name: value for name, value in about.source_hashes.items() if name in titles},
        "credits": {name: value for name, value in about.credits.items() if name in titles},
        "titles": {
            name: _title_object(rows, about.weights_s.get(name, {}))
            for name, rows in table.frame.groupby("title")
            if name in titles
        },
    }


def _title_object(rows: pd.DataFrame, weights_s: Mapping[str, float]) -> dict[str, Any]:
    """What exporting and verifying need to know of a title beside its rungs."""
    spans = rows[["scene", "start_s", "end_s"]].drop_duplicates("scene").sort_values("scene")
    found = {"fps": float(rows["fps"].max()), "scenes_s": spans[["start_s", "end_s"]].to_numpy().tolist()}
    # Of a digest: the title's time that each scene stands for.
    return found | ({"weights_s": [weights_s[str(scene)] for scene in spans["scene"]]} if weights_s else {})


def _options_object(wanted: Any, network: str, reference: str | None, shared: bool) -> dict[str, Any]:
    found = dataclasses.asdict(wanted)
    rules = found.pop("rules")
    found.pop("interval_mos")
    rules.pop("min_step_mos")
    rules.pop("min_played_share")
    flat = {**found, **rules, "network": network, "compare": reference, "shared": shared}
    # JSON has no infinity: what is not limited is null.
    return {name: None if value == math.inf else value for name, value in flat.items()}
