"""What the ladder that a service ships comes to on its titles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from abr_alloc import defaults
from abr_alloc.allocation.audience import Audience, read_audience
from abr_alloc.allocation.audit import audit_title
from abr_alloc.allocation.audit_results import AuditOptions, TitleAudit
from abr_alloc.allocation.surface import build_surfaces, by_title
from abr_alloc.documents import json_text
from abr_alloc.errors import AbrAllocError, LadderFormatError
from abr_alloc.formats.audit_document import audit_document, audit_frame
from abr_alloc.models.audio_reading import family_read
from abr_alloc.models.checkpoint import Model
from abr_alloc.runs.audit_media import Refused, is_media, measure_shipped, without_refused
from abr_alloc.runs.catalogue_run import table_of
from abr_alloc.runs.ladder_run import described_network
from abr_alloc.runs.notebook import TableView
from abr_alloc.runs.shared_model import as_model
from abr_alloc.runs.shipped_ladders import read_shipped
from abr_alloc.table.table import FeatureTable

if TYPE_CHECKING:
    from abr_alloc.runs.feedback import Feedback

__all__ = ["Audits", "FailedAudit", "audit"]

_SHOWN = {
    **{"title": "", "rung": "", "how": "", "width_px": "", "height_px": "", "video_kbps": ".0f"},
    **{"audio_codec": "", "audio_kbps": ".0f", "total_kbps": ".0f", "avq_mos": ".2f", "vmaf": ".0f"},
    **{"played_share": ".1%", "step_mos": "+.2f", "loss_mos": "+.3f", "dominated_by": "", "audio_verdict": ""},
    **{"gain_at_rate_mos": "+.2f"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAudit:
    """A title that could not be audited."""

    title: str
    """Title."""
    reason: str
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Audits(TableView, Sequence[TitleAudit]):
    """An audit per title."""

    titles: tuple[TitleAudit, ...]
    """By title, in the table's order."""
    failed: tuple[FailedAudit, ...]
    """Titles without one."""
    network: str
    """The audience, in words."""
    options: AuditOptions
    """What the ladders were held against."""
    model: Model
    """Model that predicted."""
    features: FeatureTable
    """What the ladders were judged by."""

    @overload
    def __getitem__(self, index: int) -> TitleAudit: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TitleAudit, ...]: ...

    def __getitem__(self, index: int | slice) -> TitleAudit | tuple[TitleAudit, ...]:
        return self.titles[index]

    def __len__(self) -> int:
        return len(self.titles)

    def raise_any(self) -> None:
        """End a run whose other titles are audited.

        Raises:
            LadderFormatError: a title could not be audited; told for the last one.
        """
        if self.failed:
            raise LadderFormatError(f"{self.failed[-1].title}: {self.failed[-1].reason}")

    def to_frame(self) -> pd.DataFrame:
        """One row per rung that has a place on its title's surface."""
        return audit_frame(self.titles)

    def to_json(self) -> str:
        """The JSON object of `abr-alloc audit --json` (docs/formats.md)."""
        return json_text(self.document())

    def document(self) -> dict[str, Any]:
        """The same as an object."""
        failed = [{"title": one.title, "reason": one.reason} for one in self.failed]
        return audit_document(self.titles, failed, self.model, self.network, self.options)

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        parts = [
            f"{title.title}: {family.ladder.expected_avq_mos:.3f}, {family.could_win_mos:+.3f} could be won"
            for title in self.titles[:5]
            for family in title.families
        ]
        more = "..." if len(self.titles) > 5 else ""
        return self.to_frame(), f"Expected AVQ of the audience ({self.network}): {'; '.join(parts)}{more}", _SHOWN


def audit(
    features: FeatureTable | str | os.PathLike[str],
    ladder: str | os.PathLike[str],
    network: str | Audience = defaults.NETWORK,
    model: Model | str | None = None,
    *,
    options: AuditOptions | None = None,
    base: str | os.PathLike[str] | None = None,
    within: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    ffmpeg: str | None = None,
    feedback: Feedback | None = None,
    phones: float = 0.0,
) -> Audits:
    """Judge the ladder that a service ships: what each rung gives, which are wasted, what to pair and place instead.

    Args:
        features: a feature table, or where tables are: a file, a folder, or a pattern; or the title's media file, of
            which the package's streams are measured first (call it below `if __name__ == "__main__":` then).
        ladder: a ladder file, CSV, a master playlist or manifest on disk; or a folder of them, for many titles.
        network: bandwidth of the audience, as `read_audience` reads it.
        model: a model, its name, or its folder; None for the default.
        options: what the ladder is held against.
        base: with a media file, a table that has its title already: what is measured is added to it, so that rates
            between its probes are offered too.
        within: a folder that no playlist or manifest may lead out of; each one's own when None.
        cache: with a media file, where measurements are kept; the user's cache folder when None.
        jobs: with a media file, processes; one per core when None.
        ffmpeg: with a media file, the program; the one that is found when None.
        feedback: who listens.
        phones: as in `plan`.

    Raises:
        AudienceError: the network cannot be read.
        CheckpointError: there is no such model, or it was trained on other features.
        FeatureTableError: the table breaks the schema, or a scene lacks audio or video rows.
        LadderFormatError: the ladder cannot be read, is of another title, or has no rung that the table tells of; with
            several titles only where none of them could be audited.
    """
    options = options or AuditOptions()
    folder = None if within is None else Path(within)
    shipped = read_shipped(Path(ladder), overhead=options.overhead, within=folder)
    audience = network if isinstance(network, Audience) else read_audience(network)
    model = as_model(model, phones)
    refused: Refused = {}
    if not isinstance(features, FeatureTable) and is_media(Path(features)):
        features, refused = measure_shipped(
            Path(features),
            Path(ladder),
            family_read(model.card).name,
            base=base,
            within=folder,
            cache=cache,
            jobs=jobs,
            ffmpeg=ffmpeg,
            feedback=feedback,
        )
    table = table_of(features)
    found: list[TitleAudit] = []
    failed: list[FailedAudit] = []
    first: AbrAllocError | None = None
    for scenes in by_title(build_surfaces(table, model, overhead=options.overhead)):
        title = scenes[0].title
        try:
            given = without_refused(shipped.of(title), refused)
            found.append(audit_title(scenes, given, audience, model, options))
        except AbrAllocError as error:
            first = first or error
            failed.append(FailedAudit(title=title, reason=str(error)))
    if first is not None and not found:
        raise first
    described = described_network(network) if isinstance(network, str) else network.network
    return Audits(
        titles=tuple(found), failed=tuple(failed), network=described, options=options, model=model, features=table
    )
