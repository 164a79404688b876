"""What the README and the docs show is what comes out."""

import json
import re
import sys
from pathlib import Path

import pytest

from abr_alloc.cli import main
from abr_alloc.features.table import COLUMNS, TableMetadata, read_features

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "clip_features.parquet"


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["abr-alloc", *args])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


def test_the_readme_shows_the_real_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"`abr-alloc (plan [^`]+)`:\n\n```text\n(.*?)```", README, flags=re.DOTALL)
    assert shown
    run(monkeypatch, *shown[1].split())
    assert capsys.readouterr().out == shown[2]


def test_the_readmes_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (snippet,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert len(names["frame"]) == len(names["plan"].allocations)


def test_every_column_and_metadata_field_is_documented() -> None:
    for name in (*COLUMNS, *TableMetadata.__dataclass_fields__):
        if name not in ("vif_scale1", "vif_scale2"):  # written as a range
            assert f"`{name}`" in FORMATS, name


@pytest.mark.parametrize("command", [["plan", str(EXAMPLE), "--budget", "300k", "--json"], ["relevance", str(EXAMPLE)]])
def test_every_json_field_is_documented(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, *command, *([] if "--json" in command else ["--json"]))

    def fields(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for item in value.values() for name in fields(item)}
        return {name for item in value for name in fields(item)} if isinstance(value, list) else set()

    for name in fields(json.loads(capsys.readouterr().out)):
        assert f"`{name}`" in FORMATS or f'"{name}"' in FORMATS, name


def test_the_example_credits_every_clip_and_stays_small() -> None:
    table = read_features(EXAMPLE)
    assert set(table.metadata.credits) == set(table.frame["title"])
    assert EXAMPLE.stat().st_size < 2_000_000
    contents = table.frame.groupby("title")["scene"].nunique()
    assert len(contents) >= 3
    assert contents.max() > 1
