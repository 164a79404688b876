"""The surround of a ladder's rungs as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.cli.layout import new_table, render_table, wrap
from abr_alloc.cli.tables import audio_text

if TYPE_CHECKING:  # a ladder's table needs neither, and both take time
    from abr_alloc.delivery.deviation import LadderDeviation
    from abr_alloc.formats.delivery_record import Delivery

__all__ = ["delivered_surround", "played_share", "surround_lines", "verified_surround"]


def played_share(rung: Rung) -> float:
    """Share of the audience that plays a rung, in stereo or in surround."""
    return rung.played_share + (0.0 if rung.surround is None else rung.surround.played_share)


def surround_lines(ladder: Ladder) -> list[str]:
    """What rungs offer to who plays surround, beside the same video; nothing where there is none."""
    beside = [rung.surround for rung in ladder.rungs if rung.surround is not None]
    if not beside:
        return []
    share = sum(one.played_share for one in beside)
    table = new_table("rung", "5.1", "kbps", "AVQ", "90 %", "played")
    for number, one in enumerate(beside, 1):
        table.add_row(
            str(number),
            audio_text(one.audio, with_codec=False),
            f"{one.total_kbps:.0f}",
            f"{one.avq_mos:.2f}",
            f"{one.interval_mos[0]:.1f}-{one.interval_mos[1]:.1f}",
            f"{100 * one.played_share:.1f} %",
        )
    codecs = ", ".join(dict.fromkeys(one.audio.codec for one in beside))
    head = (
        f"beside the same video, surround in {codecs} for {100 * share:.1f} % of the audience (played: of all; AVQ "
        "has no bonus for surround):"
    )
    return [wrap(head), render_table(table)]


def delivered_surround(delivery: Delivery) -> list[str]:
    """The surround that stands beside the rungs of a delivery; nothing where there is none."""
    planned = [(n, rung.surround) for n, rung in enumerate(delivery.rungs, 1) if rung.surround is not None]
    if not planned:
        return []
    table = new_table("rung", "5.1", "AVQ", "predicted\nkbps", left=("5.1",))
    for number, one in planned:
        table.add_row(str(number), one.audio.removeprefix("audio/"), f"{one.avq_mos:.2f}", f"{one.total_kbps:.0f}")
    return ["", "beside the same video, for surround players:", render_table(table)]


def verified_surround(found: LadderDeviation) -> list[str]:
    """Predicted and measured, of the surround beside the rungs; nothing where there is none."""
    beside = [(rung.number, rung.surround) for rung in found.rungs if rung.surround is not None]
    if not beside:
        return []
    heads = ["planned\nkbps", "mean\nkbps", "off", "peak\nkbps", "planned\nAVQ", "AVQ", "off\nAVQ"]
    table = new_table("rung", "5.1", *heads, left=("5.1",))
    for number, one in beside:
        table.add_row(
            str(number),
            one.audio.removeprefix("audio/"),
            f"{one.predicted_kbps:.0f}",
            f"{one.measured_kbps:.0f}",
            f"{100 * one.rate_deviation:+.1f} %",
            f"{one.peak_kbps:.0f}",
            f"{one.predicted_mos:.2f}",
            "-" if one.measured_mos is None else f"{one.measured_mos:.2f}",
            "-" if one.avq_deviation_mos is None else f"{one.avq_deviation_mos:+.2f}",
        )
    return ["", "with surround, compared as it is mixed to stereo:", render_table(table)]
