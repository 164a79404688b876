"""Check a delivered stream."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from abr_alloc.documents import json_text
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.exporting.presentation import MASTER_NAME
from abr_alloc.linting.findings import Report
from abr_alloc.linting.findings import lint as check_stream
from abr_alloc.linting.rules import Finding
from abr_alloc.runs.notebook import TableView

__all__ = ["LintResult", "lint", "playlist_of"]

_FINDING = ("rule", "level", "where", "message", "next")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LintResult(TableView):
    """What a stream breaks of the rules of HLS and of Apple."""

    path: str
    """The playlist, printable."""
    report: Report
    """Every finding, and every rule with what came of it."""

    @property
    def ok(self) -> bool:
        """Whether no MUST is broken."""
        return not self.report.count("MUST")

    def to_frame(self) -> pd.DataFrame:
        """One row per finding."""
        return pd.DataFrame([_finding(finding) for finding in self.report.findings], columns=list(_FINDING))

    def to_json(self) -> str:
        """The JSON object of `abr-alloc lint --json` (docs/formats.md)."""
        return json_text(_document(self.report, self.path))

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        counts = ", ".join(f"{self.report.count(level)} {level}" for level in ("MUST", "SHOULD"))
        return self.to_frame(), f"{self.path}: {counts}", dict.fromkeys(_FINDING, "")


def playlist_of(path: Path) -> Path:
    """A playlist, or the master playlist of a folder."""
    # A folder of `encode`, or a name too long to ask for.
    return path / MASTER_NAME if os.path.isfile(path / MASTER_NAME) else path  # noqa: PTH113


def lint(playlist: str | os.PathLike[str]) -> LintResult:
    """Check a playlist, and every segment that it leads to, against the rules of HLS and of Apple. Nothing is fetched.

    Args:
        playlist: a master or a media playlist, or a folder with a `master.m3u8`.

    Raises:
        MediaError: it cannot be read.
    """
    path = playlist_of(Path(playlist))
    if os.path.isdir(path):  # noqa: PTH112
        raise UnsupportedMediaError(f"{path} is a folder without {MASTER_NAME}; give a playlist", path=str(path))
    return LintResult(path=_encodable(str(path)), report=check_stream(path))


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "where": _encodable(finding.where),
        "message": _encodable(finding.message),
        "next": finding.next,
    }


def _document(report: Report, path: str) -> dict[str, Any]:
    """The JSON object."""
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
        "findings": [_finding(finding) for finding in report.findings],
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
