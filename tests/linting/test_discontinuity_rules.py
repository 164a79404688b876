"""A stream whose pictures change in size keeps the rules, and mistakes in it are found."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from abr_alloc.linting.findings import lint

KNOWN = {"1.10", "1.30", "7.6"}
"""What is true of it: parameter sets in the samples, scenes that end when they end and differ in rate."""


@pytest.fixture
def folder(free_size, tmp_path) -> Path:
    return shutil.copytree(free_size, tmp_path / "stream")


def broken(folder: Path) -> set[str]:
    return {finding.rule for finding in lint(folder / "master.m3u8").findings}


def test_it_breaks_recommendations_alone_and_all_rules_are_asked(folder):
    report = lint(folder / "master.m3u8")
    assert {finding.rule for finding in report.findings} <= KNOWN
    assert {finding.level for finding in report.findings} == {"SHOULD"}
    assert not [checked.rule.number for checked in report.rules if checked.status == "not checked"]


def edit(folder: Path, names: str, pattern: str, new: str, count: int = 0) -> None:
    paths = sorted(folder.glob(names))
    assert paths
    for path in paths:
        text, number = re.subn(pattern, new, path.read_text(), count=count)
        assert number, path
        path.write_text(text)


FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "no discontinuity where pictures change": (
        lambda f: edit(f, "*/*/*.m3u8", "#EXT-X-DISCONTINUITY\n", ""),
        {"HLS 4.4.4.3 encoding"},
    ),
    "audio goes on without them": (
        lambda f: edit(f, "audio/*/index.m3u8", "#EXT-X-DISCONTINUITY\n", ""),
        {"HLS 6.2.4 discontinuities"},
    ),
    "one is missing in an I-frame playlist": (
        lambda f: edit(f, "video/96*/iframes.m3u8", "#EXT-X-DISCONTINUITY\n", "", 1),
        {"HLS 6.2.4 discontinuities"},
    ),
    "the initialisation segment of the other size": (
        lambda f: edit(f, "video/160*/index.m3u8", "init-2", "init", 1),
        {"HLS 4.4.4.5"},
    ),
    "the initialisation segment of the second size is missing": (
        lambda f: next(f.glob("video/160*/init-2.mp4")).unlink(),
        {"HLS 3.1.2"},
    ),
    "a resolution that it has, but not at its largest": (
        lambda f: edit(f, "master.m3u8", "RESOLUTION=160x90,FRAME", "RESOLUTION=96x54,FRAME"),
        {"HLS 4.4.6.2 resolution"},
    ),
    "a scene that lasts longer than it is": (
        lambda f: edit(f, "video/160*/index.m3u8", "EXTINF:3.208", "EXTINF:3.408"),
        {"8.1"},
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_mistake_is_found(folder, what):
    damage, rules = FAULTS[what]
    before = broken(folder)
    damage(folder)
    assert broken(folder) - before == rules
