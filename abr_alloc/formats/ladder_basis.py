"""What a ladder file says of its making: the features, the options, and every title's source."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from abr_alloc.allocation.design import DesignOptions
from abr_alloc.models.screens import screen_object
from abr_alloc.table.columns import Columns
from abr_alloc.table.table import FeatureTable

__all__ = ["features_object", "options_object"]

_SPAN = ("start_s", "end_s")


def features_object(table: FeatureTable, title: str | None = None) -> dict[str, Any]:
    """The feature table: of all its titles, or of one."""
    about = table.metadata
    known = table.titles()
    titles = known if title not in known else [title]  # a shared ladder is of all titles
    tone_maps = {name: value for name, value in about.tone_maps.items() if name in titles}
    return {
        "grid": about.grid,
        "grid_hash": about.grid_hash,
        "libvmaf_version": about.libvmaf_version,
        "visqol_version": about.visqol_version,
        "ffmpeg_version": about.ffmpeg_version,
        "source_hashes": {name: value for name, value in about.source_hashes.items() if name in titles},
        "credits": {name: value for name, value in about.credits.items() if name in titles},
        "encoders": {name: dict(settings) for name, settings in about.encoders.items()},
        **({"tone_maps": tone_maps} if tone_maps else {}),
        "titles": {name: _title_object(table.of_title(name), about.weights_s.get(name, {})) for name in titles},
    }


def _title_object(rows: Columns, weights_s: Mapping[str, float]) -> dict[str, Any]:
    """What exporting and verifying need to know of a title beside its rungs."""
    first = rows.take(rows.scene_starts())
    spans_s = [[start_s, end_s] for start_s, end_s in zip(*(first.numbers(n).tolist() for n in _SPAN), strict=True)]
    facts: dict[str, Any] = {"fps": float(np.nanmax(rows.numbers("fps"))), "scenes_s": spans_s}
    if weights_s:  # of a digest: the title's time that each scene stands for, its own where nothing is said
        scenes = zip(first.whole("scene").tolist(), spans_s, strict=True)
        facts["weights_s"] = [weights_s.get(str(number), end_s - start_s) for number, (start_s, end_s) in scenes]
    return facts


def options_object(
    options: DesignOptions, network: str, reference: str | None, *, shared: bool, phones: float = 0.0
) -> dict[str, Any]:
    """What was asked for."""
    fields = dataclasses.asdict(options)
    rules = fields.pop("rules")
    if fields["surround_share"] is None:  # as files of before there was any
        del fields["surround_share"]
    if fields["shots"] is None:  # as files of before there were any
        del fields["shots"]
    else:
        fields["shots"] = _finite(fields["shots"])
    for name in ("interval_mos", "difference_mos"):  # the model's
        fields.pop(name)
    for name in ("min_step_mos", "min_played_share", "tie_mos"):  # nobody asks for them
        rules.pop(name)
    flat = {**fields, **rules, "network": network, "compare": reference, "shared": shared, **screen_object(phones)}
    return _finite(flat)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: what is not limited is null."""
    return {name: None if value == math.inf else value for name, value in values.items()}
