"""`abr-alloc lint`: check a delivered HLS stream against Apple's authoring rules, offline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli.printing import echo
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from abr_alloc.lint.findings import Report

__all__ = ["command"]


@click.command("lint", short_help="Check an HLS stream against Apple's authoring rules, offline.")
@click.argument("playlist", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
def command(playlist: Path, as_json: bool) -> int:
    """Check PLAYLIST, a master or a media playlist, and every segment that it leads to.

    Rules are those of Apple's HLS Authoring Specification that can be checked offline, and those of HLS that make
    players fail (docs/lint.md). Exit code 1 when a MUST is broken; a SHOULD is a warning. Nothing is fetched.
    """
    from abr_alloc.cli.lint_table import lint_text
    from abr_alloc.export.presentation import MASTER_NAME
    from abr_alloc.lint.findings import lint

    if os.path.isfile(playlist / MASTER_NAME):  # noqa: PTH113 - a folder of `encode`, or a name too long to ask for
        playlist /= MASTER_NAME
    if os.path.isdir(playlist):  # noqa: PTH112
        raise click.UsageError(f"{playlist} is a folder without {MASTER_NAME}; give a playlist")
    report = lint(playlist)
    path = _encodable(str(playlist))
    echo(json_text(document(report, path)) if as_json else lint_text(report, path), nl=False)
    return 1 if report.count("MUST") else 0


def document(report: Report, path: str) -> dict[str, Any]:
    """The JSON object of docs/formats.md."""
    return {
        "schema_version": 1,
        "command": "lint",
        "path": path,
        "kind": "master" if report.is_master else "media",
        "counts": {
            "num_variants": report.num_variants,
            "num_playlists": report.num_playlists,
            "num_segments": report.num_segments,
            "num_measured": report.num_measured,
            "num_must": report.count("MUST"),
            "num_should": report.count("SHOULD"),
        },
        "findings": [
            {
                "rule": finding.rule,
                "level": finding.level,
                "where": _encodable(finding.where),
                "message": _encodable(finding.message),
                "next": finding.next,
            }
            for finding in report.findings
        ],
        "rules": [
            {
                "rule": checked.rule.number,
                "level": checked.rule.level,
                "text": checked.rule.text,
                "status": checked.status,
                "num_findings": checked.num_findings,
            }
            for checked in report.rules
        ],
        "not_checked": [_encodable(text) for text in report.not_checked],
    }


def _encodable(text: str) -> str:
    """Text that any output can hold: names of files need not be UTF-8."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
