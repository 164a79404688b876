"""Figures of agreement as text: one model, or systems side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from abr_alloc.cli.layout import new_table, render_table, wrap
from abr_alloc.cli.verbosity import notes

__all__ = ["comparison_markdown", "comparison_table", "evaluation_table"]

_NAMES = {
    "plcc": "PLCC",
    "srcc": "SRCC",
    "rmse": "RMSE",
    "rmse_mapped": "RMSE mapped",
    "ccc": "CCC",
    "trade_off_order": "trade-off order",
    "relevance_spearman": "relevance",
}
_HEADS = {"rmse_mapped": "RMSE\nmapped", "trade_off_order": "trade-\noff\norder", "relevance_spearman": "rele-\nvance"}
_SYSTEM_WIDTH = 26
_LEGEND = (
    "RMSE in points of {scale}; mapped: after a monotone logistic map. Trade-off order: how often the model prefers "
    "what people prefer when one stimulus has the better audio and the other the better video. Relevance: Spearman "
    "of audio's weight against video's with people's, over {groups}. {intervals}"
)


def figure(name: str, value: float | None) -> str:
    """A figure as it is usually written: three digits, or two after the point for RMSE."""
    if value is None:
        return "-"
    return f"{value:.2f}" if name.startswith("rmse") and abs(value) >= 1.0 else f"{value:.3f}"


def _interval(name: str, estimate: Mapping[str, float | None]) -> str:
    if estimate["low"] is None:
        return ""
    return f"[{figure(name, estimate['low'])}, {figure(name, estimate['high'])}]"


def _legend(data: Mapping[str, Any], intervals: str = "[ ]: 95 % bootstrap interval over contents.") -> str:
    low, high = data["scale"]
    groups = "scenes" if data["labels"] == "teacher" else "contents"
    return _LEGEND.format(scale=f"{low:g}-{high:g}", groups=groups, intervals=intervals)


def evaluation_table(document: Mapping[str, Any]) -> str:
    """What `evaluate --json` says, as text."""
    data, model = document["data"], document["model"]
    table = new_table("figure", "value", "95 %", left=["figure"])
    for name, text in _NAMES.items():
        table.add_row(text, figure(name, document[name]["value"]), _interval(name, document[name]))
    for name, text in (("ratings", "ratings in the 90 % interval"), ("differences", "differences in theirs")):
        held = document["coverage"][name]
        table.add_row(text, "-" if held is None else f"{100 * held:.0f} %", "")
    what = "pairs with the teacher's labels" if data["labels"] == "teacher" else "rated stimuli"
    head = f"{model['name']} on {data['num_stimuli']} {what} of {data['num_contents']} contents"
    told = [wrap(_legend(data), ""), *(wrap(f"Note: {note}.") for note in document["notes"])]
    return f"{wrap(head)}\n{render_table(table)}\n" + notes("\n".join(told) + "\n")


def comparison_table(document: Mapping[str, Any]) -> str:
    """What `compare` found, as text."""
    heads = [_HEADS.get(name, text) for name, text in _NAMES.items()]
    table = new_table("system", *heads, "cover-\nage", left=["system"], wrapped={"system": _SYSTEM_WIDTH})
    for row in document["systems"]:
        table.add_row(row["label"], *_cells(row))
    data, folds = document["data"], document["folds"]
    num = len(document["systems"])
    head = (
        f"{num} system{'s' if num > 1 else ''}, {folds['num']} folds ({folds['kind']}), "
        f"{data['num_stimuli']} stimuli of {data['num_contents']} contents"
    )
    told = wrap(_legend(data, "Intervals: table.md."), "")
    return f"{wrap(head)}\n{render_table(table)}\n" + notes(f"{told}\n")


def _cells(row: Mapping[str, Any]) -> list[str]:
    cells = [figure(name, row[name]["value"]) for name in _NAMES]
    held = row["coverage"]["ratings"]
    return [*cells, "-" if held is None else f"{100 * held:.0f} %"]


def comparison_markdown(document: Mapping[str, Any]) -> str:
    """What `compare` found, as a Markdown table with intervals."""
    names: Sequence[str] = list(_NAMES)
    lines = [
        "| system | " + " | ".join(_NAMES.values()) + " | coverage |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for row in document["systems"]:
        cells = [f"{figure(n, row[n]['value'])} {_interval(n, row[n])}".strip() for n in names]
        lines.append(f"| {row['label']} | " + " | ".join([*cells, _cells(row)[-1]]) + " |")
    return "\n".join(lines) + "\n\n" + wrap(_legend(document["data"]), "") + "\n"
