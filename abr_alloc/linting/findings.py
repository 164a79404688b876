"""Lint a delivered HLS stream: read it once, ask every rule, and say what was and was not checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Their import registers the rules, in the order of the report.
from abr_alloc.linting import (  # noqa: F401
    authoring_rules,
    discontinuity_rules,
    hdr_rules,
    master_rules,
    protocol_rules,
    rendition_rules,
)
from abr_alloc.linting.reading import read_stream
from abr_alloc.linting.rules import RULES, Finding, Rule
from abr_alloc.linting.stream import Stream

__all__ = ["CheckedRule", "Report", "lint", "lint_stream"]

Status = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRule:
    """A rule and what came of it."""

    rule: Rule
    """The rule."""
    status: Status
    """not checked where the stream has nothing that it looks at, or that could not be read."""
    num_findings: int
    """Places that break it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a stream was found to break."""

    is_master: bool
    """Whether a master playlist was given."""
    num_variants: int
    """Variants of the master playlist."""
    num_playlists: int
    """Media playlists read."""
    num_segments: int
    """Segments that they name."""
    num_measured: int
    """Segments that could be read."""
    findings: tuple[Finding, ...]
    """MUSTs first, then by rule."""
    rules: tuple[CheckedRule, ...]
    """Every rule."""
    not_checked: tuple[str, ...]
    """What was met and not looked at."""

    def count(self, level: str) -> int:
        """Findings of a level."""
        return sum(finding.level == level for finding in self.findings)


def lint(path: Path) -> Report:
    """Check a master playlist with all that it leads to, or a media playlist with its segments.

    Raises:
        MediaError: the file itself cannot be read.
    """
    return lint_stream(read_stream(path))


def lint_stream(stream: Stream) -> Report:
    """Ask every rule about a stream."""
    findings: list[Finding] = []
    rules = []
    for rule in RULES.values():
        found = list(rule.findings(stream))
        findings += found
        status: Status = "failed" if found else "passed" if rule.applies(stream) else "not checked"
        rules.append(CheckedRule(rule=rule, status=status, num_findings=len(found)))
    segments = [segment for track in stream.tracks for segment in track.segments]
    return Report(
        is_master=stream.root.is_master,
        num_variants=len(stream.variants),
        num_playlists=len(stream.tracks),
        num_segments=len(segments),
        num_measured=sum(segment.fragment is not None for segment in segments),
        findings=tuple(sorted(findings, key=lambda finding: finding.level != "MUST")),  # stable
        rules=tuple(rules),
        not_checked=stream.not_checked,
    )
