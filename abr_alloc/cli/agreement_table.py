"""Figures of a judgement as text: one model, or systems side by side. What choosing by a score costs comes first."""

from __future__ import annotations

from collections.abc import Mapping
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
_HEADS = {
    "hull_regret": "hull\nre-\ngret",
    "right_pairs": "right\npairs",
    "coverage": "cover-\nage",
    "rmse_mapped": "RMSE\nmapped",
    "trade_off_order": "trade-\noff\norder",
    "relevance_spearman": "rele-\nvance",
}
_SYSTEM_WIDTH = 26
_LEGEND = (
    "RMSE in points of {scale}; mapped: after a monotone logistic map. Trade-off order: how often the model prefers "
    "what people prefer when one stimulus has the better audio and the other the better video. Relevance: Spearman "
    "of audio's weight against video's with people's, over {groups}. {intervals}"
)
_CHOICE_LEGEND = (
    "Hull regret: MOS (points of {scale}) that people lose when each bitrate of a content and codec gets the rendition "
    "with the highest score. Right pairs: how often the score orders as people do two renditions of unlike size, like "
    "rate and clearly unlike MOS. VMAF learns nothing from the ratings."
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
    data, model, vmaf = document["data"], document["model"], document["vmaf"]
    table = new_table("figure", "value", "95 %", *(["VMAF"] if vmaf else []), left=["figure"])
    for name, text in _NAMES.items():
        beside = [figure(name, vmaf.get(name))] if vmaf else []
        table.add_row(text, figure(name, document[name]["value"]), _interval(name, document[name]), *beside)
    for name, text in (("ratings", "ratings in the 90 % interval"), ("differences", "differences in theirs")):
        held = document["coverage"][name]
        table.add_row(text, "-" if held is None else f"{100 * held:.0f} %", "", *(["-"] if vmaf else []))
    what = "pairs with the teacher's labels" if data["labels"] == "teacher" else "rated stimuli"
    head = f"{model['name']} on {data['num_stimuli']} {what} of {data['num_contents']} contents"
    tables = [*_choice_tables(document), render_table(table), *_dataset_tables(document)]
    told = [_choice_legend(data)] if document["hull_regret"] else []
    told += [wrap(_legend(data), ""), *(wrap(f"Note: {note}.") for note in document["notes"])]
    return f"{wrap(head)}\n" + "\n\n".join(tables) + "\n" + notes("\n".join(told) + "\n")


def _by_score(document: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Data set, score and figures, of the model and of VMAF; all data sets together come first."""
    scores = [(document["model"]["name"], document)]
    if document["vmaf"]:
        scores.append(("VMAF", document["vmaf"]))
    found: list[tuple[str, str, Mapping[str, Any]]] = [("all", name, figures) for name, figures in scores]
    for parts in zip(*(figures["datasets"] for _, figures in scores), strict=True):
        found += [(part["name"], name, part) for (name, _), part in zip(scores, parts, strict=True)]
    return found


def _choice_tables(document: Mapping[str, Any]) -> list[str]:
    """What choices cost, by data set and score; no table where the stimuli leave no choice."""
    rows = [row for row in _by_score(document) if row[2]["hull_regret"]]
    if not rows:
        return []
    heads = ("data set", "score", "hull\nregret", "95 %", "p95", "worst", "of", "right\npairs", "of ")
    table = new_table(*heads, left=heads[:2])
    for dataset, name, figures in rows:
        regret, pairs = figures["hull_regret"], figures["right_pairs"]
        table.add_row(
            *(dataset, name, figure("", regret["mean"]), _interval("", regret)),
            *(f"{regret['p95']:.2f}", f"{regret['worst']:.2f}", str(regret["num"])),
            *((f"{pairs['share']:.2f}", str(pairs["num"])) if pairs else ("-", "0")),
        )
    return [render_table(table)]


def _dataset_tables(document: Mapping[str, Any]) -> list[str]:
    """Agreement by data set and score; no table of one data set."""
    names = ("plcc", "srcc", "rmse", "rmse_mapped")
    if not document["datasets"]:
        return []
    table = new_table("data set", "score", "stimuli", *(_NAMES[name] for name in names), left=["data set", "score"])
    for dataset, name, figures in _by_score(document):
        if dataset != "all":
            table.add_row(dataset, name, str(figures["num_stimuli"]), *(figure(n, figures[n]) for n in names))
    return [render_table(table)]


def _choice_legend(data: Mapping[str, Any]) -> str:
    low, high = data["scale"]
    return wrap(_CHOICE_LEGEND.format(scale=f"{low:g}-{high:g}"), "")


def comparison_table(document: Mapping[str, Any]) -> str:
    """What `compare` found, as text: columns in which no system has a figure are left out."""
    columns = _columns(document)
    heads = [_HEADS.get(key, text) for key, text in columns]
    table = new_table("system", *heads, left=["system"], wrapped={"system": _SYSTEM_WIDTH})
    for row in document["systems"]:
        table.add_row(row["label"], *(_cell(row, key) for key, _ in columns))
    data, folds = document["data"], document["folds"]
    num = sum(1 for row in document["systems"] if row["by_seed"])
    head = (
        f"{num} system{'s' if num > 1 else ''}, {folds['num']} folds ({folds['kind']}), "
        f"{data['num_stimuli']} stimuli of {data['num_contents']} contents"
    )
    told = [wrap(_legend(data, "Intervals: table.md."), "")]
    return f"{wrap(head)}\n{render_table(table)}\n" + notes("\n".join([*_first_legends(document), *told]) + "\n")


def _first_legends(document: Mapping[str, Any]) -> list[str]:
    data = document["data"]
    legends = [_choice_legend(data)] if any(row["hull_regret"] for row in document["systems"]) else []
    if data["transparent_audio"]:
        legends.append("The ratings have no audio: systems learn and are judged at transparent audio.")
    return legends


def _columns(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and name of every column that has a figure."""
    every = [("hull_regret", "hull regret"), ("right_pairs", "right pairs"), *_NAMES.items(), ("coverage", "coverage")]
    return [(key, text) for key, text in every if any(_cell(row, key) != "-" for row in document["systems"])]


def _cell(row: Mapping[str, Any], key: str, *, with_interval: bool = False) -> str:
    """A system's figure; `-` where it has none."""
    found = row[key]
    if key == "coverage":
        return "-" if found["ratings"] is None else f"{100 * found['ratings']:.0f} %"
    if found is None:
        return "-"
    value = found[{"hull_regret": "mean", "right_pairs": "share"}.get(key, "value")]
    return f"{figure(key, value)} {_interval(key, found) if with_interval else ''}".strip()


def comparison_markdown(document: Mapping[str, Any]) -> str:
    """What `compare` found, as a Markdown table with intervals, and by data set where there are several."""
    columns = _columns(document)
    lines = ["| system | " + " | ".join(text for _, text in columns) + " |", "|---|" + "---|" * len(columns)]
    for row in document["systems"]:
        cells = [_cell(row, key, with_interval=True) for key, _ in columns]
        lines.append(f"| {row['label']} | " + " | ".join(cells) + " |")
    legends = [*_first_legends(document), wrap(_legend(document["data"]), "")]
    return "\n".join([*lines, *_dataset_markdown(document)]) + "\n\n" + "\n\n".join(legends) + "\n"


def _dataset_markdown(document: Mapping[str, Any]) -> list[str]:
    """The figures of each data set; nothing where there is one."""
    rows = [(part["name"], row["label"], part) for row in document["systems"] for part in row["datasets"]]
    if not rows:
        return []
    keys = ("hull_regret", "right_pairs")
    names = ("plcc", "srcc", "rmse", "rmse_mapped")
    heads = ["data set", "system", "hull regret", "right pairs", *(_NAMES[name] for name in names)]
    lines = ["", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for dataset, label, part in sorted(rows, key=lambda row: row[0]):
        cells = [_cell(part, key, with_interval=True) for key in keys] + [figure(n, part[n]) for n in names]
        lines.append("| " + " | ".join([dataset, label, *cells]) + " |")
    return lines
