"""Rows of the feature table for renditions that were not measured, as their probes let them be estimated.

A row's rate and features are estimated from those of the same scene (`surrogate.py`); all else is as in the measured
row that lies nearest, whose sizes over time are scaled to the rate. The column `estimated` marks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from abr_alloc.allocation.probe_curves import Candidate, estimate_curves, identity
from abr_alloc.allocation.rendition import VIDEO_IDENTITY
from abr_alloc.allocation.surrogate import QUANTITIES, CurvePrior, inverse

__all__ = ["estimated_rows", "sorted_rows"]

_ORDER = ["title", "scene", "kind", "codec", "height_px", "bitrate_kbps", "target"]


def sorted_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order in which tables are written."""
    return frame.sort_values(_ORDER, kind="stable", ignore_index=True)


def estimated_rows(
    prior: CurvePrior, own: Sequence[Candidate], known: Sequence[int], video: pd.DataFrame
) -> pd.DataFrame:
    """A row for every scene and every rendition of an encoder that was not measured.

    Args:
        prior: what is known of any title.
        own: the encoder's renditions, by rising size.
        known: indices of those measured.
        video: the title's video rows.
    """
    rows: list[dict[str, Any]] = []
    for _, scene in video.groupby("scene", sort=True):
        keys = list(zip(*(scene[name].tolist() for name in VIDEO_IDENTITY), strict=True))
        measured = scene.iloc[[keys.index(identity(own[i])) for i in known]]
        estimate = estimate_curves(prior, own, known, measured)
        values = {name: inverse(name, estimate.mean[f]) for f, name in enumerate(QUANTITIES)}
        records = measured.to_dict("records")
        for i, candidate in enumerate(own):
            if i in known:
                continue
            beside = records[int(np.abs(np.array(known) - i).argmin())]
            row = {**beside, **{name: float(of[i]) for name, of in values.items()}, "estimated": 1}
            row |= dict(zip(VIDEO_IDENTITY, identity(candidate), strict=True))
            sizes = beside.get("half_second_kbit")
            if np.ndim(sizes):
                row["half_second_kbit"] = np.asarray(sizes) * (row["bitrate_kbps"] / beside["bitrate_kbps"])
            rows.append(row)
    found = pd.DataFrame(rows)
    for name in video.columns:
        if name in found and found[name].dtype != video[name].dtype:
            found[name] = found[name].astype(video[name].dtype)
    found["estimated"] = found["estimated"].astype("Int32")
    return found
