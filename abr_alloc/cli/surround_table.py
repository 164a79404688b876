"""The surround of a ladder's rungs as text."""

from __future__ import annotations

from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.cli.layout import new_table, render_table, wrap
from abr_alloc.cli.tables import audio_text

__all__ = ["played_share", "surround_lines"]


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
        f"beside the same video, surround in {codecs} for {100 * share:.1f} % of the audience (played: of all; AVQ has no "
        "bonus for surround):"
    )
    return [wrap(head), render_table(table)]
