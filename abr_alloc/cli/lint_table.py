"""What `lint` found, as text."""

from __future__ import annotations

from itertools import groupby

from abr_alloc.cli.layout import wrap
from abr_alloc.linting.findings import Report

__all__ = ["lint_text"]

_MAX_PLACES = 10
"""Places shown per rule; `--json` has all."""


def lint_text(report: Report, path: str) -> str:
    """What was checked, then findings by level and rule, then what was not checked."""
    parts = [_summary(report, path)]
    for level, heading in (("MUST", "must be corrected"), ("SHOULD", "should be corrected")):
        found = [finding for finding in report.findings if finding.level == level]
        if found:
            parts.append(f"{len(found)} {heading}:")
        for number, group in groupby(found, key=lambda finding: finding.rule):
            places = list(group)
            text = next(checked.rule.text for checked in report.rules if checked.rule.number == number)
            lines = [wrap(f"{number}  {level}: {text}")]
            lines += [_indented(f"{place.where}: {place.message}; {place.next}") for place in places[:_MAX_PLACES]]
            if len(places) > _MAX_PLACES:
                lines.append(f"  and {len(places) - _MAX_PLACES} more (--json)")
            parts.append("\n".join(lines))
    if report.not_checked:
        shown = report.not_checked[:_MAX_PLACES]
        lines = ["Not checked:", *(_indented(text) for text in shown)]
        if len(report.not_checked) > len(shown):
            lines.append(f"  and {len(report.not_checked) - len(shown)} more (--json)")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _summary(report: Report, path: str) -> str:
    if report.is_master:
        what = f"{_count(report.num_variants, 'variant')}, {_count(report.num_playlists, 'media playlist')}"
    else:
        what = "a media playlist alone: rules on variants need the master playlist"
    measured = "" if report.num_measured == report.num_segments else f" ({report.num_measured} could be read)"
    by_status = {s: sum(c.status == s for c in report.rules) for s in ("passed", "failed", "not checked")}
    rules = ", ".join(f"{number} {status}" for status, number in by_status.items() if number)
    return "\n".join(
        [
            _printable(path),
            wrap(f"{what}, {_count(report.num_segments, 'segment')}{measured}"),
            wrap(f"{len(report.rules)} rules: {rules}"),
        ]
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _indented(text: str) -> str:
    """Two spaces before the first line, four before the others; what is wider than a line is not cut."""
    return wrap(f"  {_printable(text)}", "    ")


def _printable(text: str) -> str:
    """What cannot be printed is not, for a terminal may obey it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
