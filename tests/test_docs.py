"""What the README and the docs show is what comes out."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from abr_alloc.cli import main
from abr_alloc.cli.main import COMMANDS, cli
from abr_alloc.table.table import COLUMNS, TableMetadata, read_features

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LADDERS = (ROOT / "docs" / "ladders.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "clip_features.parquet"
ONE_TITLE = ("--title", "cartoon-veo-carnival-720p")


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["abr-alloc", *args])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


refresh_outputs = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "refresh_outputs.py")))
SHOWN = [
    (page, shown) for page in refresh_outputs.PAGES for shown in refresh_outputs.shown_outputs(page.read_text("utf-8"))
]


@pytest.mark.parametrize(
    "shown", [shown for _, shown in SHOWN], ids=[f"{page.name}-{n}" for n, (page, _) in enumerate(SHOWN)]
)
def test_a_page_shows_what_comes_out(shown) -> None:
    assert shown.run() == shown.output


def test_the_readme_shows_a_plan_per_scene_and_per_title_and_a_ladder() -> None:
    commands = [shown.words for page, shown in SHOWN if page.name == "README.md"]
    assert [words[0] for words in commands] == ["plan", "plan", "ladder"]
    assert "title" in commands[1]


def test_the_start_the_tutorial_and_the_catalogue_show_outputs() -> None:
    """A form that is not recognised would go untested."""
    for name in ("index.md", "tutorial.md", "catalogue.md"):
        blocks = (ROOT / "docs" / name).read_text("utf-8").count("```text")
        assert blocks == sum(page.name == name for page, _ in SHOWN) > 0


def test_a_page_that_is_out_of_date_is_rewritten_and_the_rest_of_it_kept() -> None:
    old = "# Page\n\n```python\nprint(2 + 2)\n```\n\nprints\n\n```text\n5\n```\n\n```text\nother\n```\n"
    assert refresh_outputs.refreshed(old) == old.replace("5", "4")


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


# Words of options that need no explanation beyond their help.
PLAIN = """
    batch below columns compare csv decay duration encodes equations exclude ffmpeg format fps hidden json keep language
    layers learning leave limit max megapixels min name num one only out output per quiet range round time timeout
    verbose with
"""


def test_concepts_explain_every_word_of_an_option() -> None:
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in COMMANDS]
    options = {o for c in commands for p in c.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}
    words = {word for option in options for word in option.strip("-").split("-")}
    plain = set(PLAIN.split())
    assert not plain - words, "no option has these any more"
    explained = set(re.findall(r"[a-z]+", CONCEPTS.partition("## Words")[2].lower()))
    missing = {word for word in words - plain if not {word, word.removesuffix("s"), word + "ing"} & explained}
    assert not missing


def test_every_column_and_metadata_field_is_documented() -> None:
    for name in (*COLUMNS, *TableMetadata.__dataclass_fields__):
        assert f"`{name}`" in FORMATS, name


def test_the_table_of_columns_is_what_is_declared() -> None:
    generate_columns = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "generate_columns.py")))
    (shown,) = [block[0] for block in generate_columns.BLOCK.finditer(FORMATS)]
    assert shown == f"<!-- columns -->\n{generate_columns.table()}<!-- end -->"


@pytest.mark.parametrize(
    "command",
    [
        ["plan", str(EXAMPLE), "--budget", "300k", "--json"],
        ["plan", str(EXAMPLE), "--budget", "300k", "--per", "title", "--json"],
        ["plan", str(EXAMPLE), "--sensitivity", "--json"],
        ["relevance", str(EXAMPLE), "--json"],
        [*("audit", str(EXAMPLE), "--ladder", str(EXAMPLE.with_name("shipped_ladder.csv"))), *ONE_TITLE, "--json"],
        ["ladder", str(EXAMPLE), "--compare", "apple-hls-avc", "--json"],
        [
            *("ladder", str(EXAMPLE), "--title", "tos-battle-action-332p", "--per-shot", "--max-step", "0.5"),
            *("--rungs", "2", "--round", "100", "--json"),
        ],
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
    titles = set(read_features(EXAMPLE).frame["title"])  # hashes and credits are keyed by title
    for name in fields_of(json.loads(capsys.readouterr().out)) - titles:
        assert f"`{name}`" in FORMATS or f'"{name}"' in FORMATS, name


def fields_of(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in fields_of(item)}
    return {name for item in value for name in fields_of(item)} if isinstance(value, list) else set()


def test_every_field_of_a_delivery_and_its_check_is_documented(delivered, tmp_path, run_command) -> None:
    """Within their own sections: half of the names stand in others too."""
    moved = shutil.copytree(delivered, tmp_path / "moved" / "out")  # nothing to measure against
    checked = json.loads(run_command("verify", moved, "--json", "--tolerance", "rate=90%").stdout)
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", FORMATS, flags=re.MULTILINE | re.DOTALL))
    for head, document in (
        ("Delivered folder (`encode -o DIR`)", json.loads((delivered / "delivery.json").read_text())),
        ("`verify --json`", checked),
    ):
        for name in fields_of(document):
            assert f"`{name}`" in sections[head], name


def test_the_how_to_shows_the_files_that_ship() -> None:
    page = (ROOT / "docs" / "own_ratings.md").read_text(encoding="utf-8")
    assert (ROOT / "examples" / "nearest_quality.py").read_text(encoding="utf-8").strip() in page
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


def test_the_site_builds_strictly_and_asks_no_other_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    pages = list(tmp_path.glob("*.html"))
    assert (tmp_path / "index.html") in pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>", text)
        assert not [tag for tag in loaded if 'rel="canonical"' not in tag], page.name
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", style.read_text(encoding="utf-8")), style.name


@pytest.mark.parametrize("page", sorted(page.name for page in (ROOT / "docs").glob("*.md")))
def test_a_page_reads_well_unbuilt(page: str) -> None:
    """Nothing that only the site would understand: no admonitions, no tabs, no attributes."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(?:!!!|\?\?\?|===) |\{: ?[.#]", text, flags=re.MULTILINE)
