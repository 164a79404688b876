"""What the README and the docs show is what comes out."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from abr_alloc.cli import main
from abr_alloc.features.table import COLUMNS, TableMetadata, read_features

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LADDERS = (ROOT / "docs" / "ladders.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "clip_features.parquet"


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["abr-alloc", *args])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


SHOWN = re.findall(r"`abr-alloc ([^`]+)`:\n\n```text\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_readme_shows_what_comes_out(
    command: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, *command.split())
    assert capsys.readouterr().out == output


def test_the_readme_shows_a_plan_per_scene_and_per_title_and_a_ladder() -> None:
    assert [command.split()[0] for command, _ in SHOWN] == ["plan", "plan", "ladder"]
    assert "--per title" in SHOWN[1][0]


def test_the_shipped_ladders_are_those_of_the_documented_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (words,) = re.findall(r"abr-alloc (ladder \S+ .*-o) ladders/titles", LADDERS)
    run(monkeypatch, *words.split(), str(tmp_path))
    shipped = {path.name: json.loads(path.read_text()) for path in (ROOT / "ladders" / "titles").glob("*.json")}
    made = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert shipped.keys() == made.keys()
    for name in shipped:
        assert_alike(made[name], shipped[name])


def assert_alike(found: object, expected: object) -> None:
    """Equal but for what float32 leaves open between machines."""
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        for key in expected:
            assert_alike(found[key], expected[key])
    elif isinstance(expected, list):
        assert isinstance(found, list)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    else:
        assert found == (pytest.approx(expected, abs=1e-3) if isinstance(expected, float) else expected)


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


@pytest.mark.parametrize(
    "command",
    [
        ["plan", str(EXAMPLE), "--budget", "300k", "--json"],
        ["plan", str(EXAMPLE), "--budget", "300k", "--per", "title", "--interpolate", "--json"],
        ["plan", str(EXAMPLE), "--sensitivity", "--json"],
        ["relevance", str(EXAMPLE), "--json"],
        ["ladder", str(EXAMPLE), "--compare", "apple-hls-avc", "--json"],
        ["ladder", str(EXAMPLE), "--shared", "--rungs", "auto", "--json"],
        ["evaluate", "svr-8f", str(EXAMPLE), "--json"],
        ["doctor", "--json"],
    ],
    ids=" ".join,
)
def test_every_json_field_is_documented(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, *command)

    def fields(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for item in value.values() for name in fields(item)}
        return {name for item in value for name in fields(item)} if isinstance(value, list) else set()

    titles = set(read_features(EXAMPLE).frame["title"])  # hashes and credits are keyed by title
    for name in fields(json.loads(capsys.readouterr().out)) - titles:
        assert f"`{name}`" in FORMATS or f'"{name}"' in FORMATS, name


def shell_blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("page", ["own_ratings.md", "own_system.md"])
def test_every_command_of_a_how_to_runs(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    commands = shell_blocks(page)
    assert commands
    monkeypatch.chdir(tmp_path)
    for command in commands:
        program, *words = command.split()
        assert program == "abr-alloc"
        monkeypatch.setattr(sys, "argv", ["abr-alloc", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert not caught.value.code, capsys.readouterr().err


def test_the_how_to_shows_the_files_that_ship() -> None:
    page = (ROOT / "docs" / "own_system.md").read_text(encoding="utf-8")
    assert (ROOT / "examples" / "nearest_quality.py").read_text(encoding="utf-8").strip() in page
    page = (ROOT / "docs" / "own_ratings.md").read_text(encoding="utf-8")
    assert "\n".join((ROOT / "examples" / "ratings.csv").read_text().splitlines()[:3]) in page


def test_the_example_ratings_are_what_their_script_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("make_ratings.py", "clip_features.parquet"):
        (tmp_path / name).write_bytes((ROOT / "examples" / name).read_bytes())
    runpy.run_path(str(tmp_path / "make_ratings.py"), run_name="__main__")
    assert (tmp_path / "ratings.csv").read_text() == (ROOT / "examples" / "ratings.csv").read_text()


def test_the_example_credits_every_clip_and_stays_small() -> None:
    table = read_features(EXAMPLE)
    assert set(table.metadata.credits) == set(table.frame["title"])
    assert EXAMPLE.stat().st_size < 2_000_000
    contents = table.frame.groupby("title")["scene"].nunique()
    assert len(contents) >= 3
    assert contents.max() > 1
