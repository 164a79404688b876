"""A file, a folder and a pattern of the same titles; whoever does the work."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from abr_alloc.table import catalogue
from abr_alloc.table.table import FeatureTable, read_features, write_features

PLANS = {
    "several budgets": ("--budget", "300k", "--budget", "900k"),
    "per title": ("--budget", "300k", "--per", "title"),
    "measured": ("--budget", "600k", "--measured-only"),
    "filtered": ("--budget", "600k", "--min-height", "200", "--max-height", "240", "--title", "bbb-rabbit-wakes-720p"),
    "infeasible": ("--budget", "45k", "--budget", "300k"),
}


@pytest.fixture(scope="module")
def folder(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's titles, each in a file of a partition of its own."""
    folder = tmp_path_factory.mktemp("tables")
    table = read_features(example)
    for title in table.frame["title"].unique():
        (folder / f"title={title}").mkdir()
        own = table.frame[table.frame["title"] == title].reset_index(drop=True)
        write_features(FeatureTable(own, table.metadata), folder / f"title={title}" / "part-0.parquet")
    return folder


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("words", PLANS.values(), ids=PLANS)
def test_a_file_a_folder_and_a_pattern_give_the_same_plans(
    run_command, example, folder, tmp_path, words, suffix
) -> None:
    written = []
    for i, source in enumerate((example, folder, f"{folder}/*/*.parquet")):
        path = tmp_path / f"{i}{suffix}"
        code = run_command("plan", source, *words, "-o", path).code
        assert code == (3 if "45k" in words else 0)
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


def test_rows_of_a_catalogue_are_what_one_file_prints(run_command, example, folder) -> None:
    words = ("--budget", "300k", "--budget", "900k", "--csv")
    assert run_command("plan", folder, *words).stdout == run_command("plan", example, *words).stdout


def test_row_groups_inside_titles_do_not_matter(run_command, example, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "CHUNK_ROWS", 20)
    pq.write_table(pq.read_table(example), tmp_path / "t.parquet", row_group_size=11)
    for source, name in ((example, "a.parquet"), (tmp_path / "t.parquet", "b.parquet")):
        assert run_command("plan", source, "--budget", "300k", "-o", tmp_path / name).code == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_number_of_processes_does_not_matter(forks, folder, tmp_path) -> None:
    """In processes of their own, as commands are: the NumPy of the tests may use more threads, and round otherwise."""
    for jobs in ("1", "2"):
        for command, words in (("plan", ("--budget", "300k")), ("ladder", ()), ("relevance", ())):
            given = [command, folder, *words, "--jobs", jobs, "-o", tmp_path / f"{command}{jobs}.parquet"]
            assert forks.run(*given).returncode == 0
    for command in ("plan", "ladder", "relevance"):
        assert (tmp_path / f"{command}1.parquet").read_bytes() == (tmp_path / f"{command}2.parquet").read_bytes()


def test_columns_of_parquet_are_those_of_csv(run_command, example, tmp_path) -> None:
    for name in ("p.csv", "p.parquet"):
        run_command("plan", example, "--budget", "300k", "-o", tmp_path / name)
    text, table = pd.read_csv(tmp_path / "p.csv"), pd.read_parquet(tmp_path / "p.parquet")
    assert list(text) == list(table)
    for column in text:
        if text[column].dtype.kind in "if":
            assert table[column].to_numpy() == pytest.approx(text[column].to_numpy(), rel=1e-5)


def test_a_summary_stands_for_tables_and_what_does_not_fit_is_listed(run_command, folder, tmp_path) -> None:
    outcome = run_command("plan", folder, "--budget", "45k", "-o", tmp_path / "p.csv")
    assert outcome.code == 3
    assert outcome.stdout.splitlines()[0].startswith("Budget 45 kbps: 4 scenes of 3 titles, mean AVQ")
    listed = pd.read_csv(tmp_path / "p.infeasible.csv")
    assert list(listed) == ["title", "scene", "budget_kbps", "needed_kbps", "reason"]
    assert len(listed) == 8
    assert len(pd.read_csv(tmp_path / "p.csv")) == 4
    assert (listed["needed_kbps"] > 45.0).all()


def test_ladders_of_a_catalogue_are_those_of_one_file(run_command, example, folder, tmp_path) -> None:
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    for source, name in ((example, "one"), (folder, "many")):
        assert run_command("ladder", source, "-o", tmp_path / name).code == 0
        assert run_command("ladder", source, "-o", tmp_path / f"{name}.csv").code == 0
        assert run_command("ladder", source, "-o", tmp_path / f"{name}.parquet").code == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), pd.read_parquet(tmp_path / "many.parquet"))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 5
    assert files == sorted(path.name for path in (tmp_path / "many").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "many" / name).read_text()


def test_a_title_without_a_ladder_fails_alone(run_command, folder, tmp_path) -> None:
    outcome = run_command("ladder", folder, "--min-kbps", "3M", "--rungs", "2", "-o", tmp_path / "l.csv")
    assert outcome.code == 3
    assert "titles without one" in outcome.stdout
    assert 0 < pd.read_csv(tmp_path / "l.csv")["title"].nunique() < 5


def test_relevance_has_one_budget_for_all_and_rows_that_do_not_depend_on_company(
    run_command, example, folder, tmp_path
) -> None:
    assert run_command("relevance", example, "-o", tmp_path / "a.parquet").code == 0
    assert run_command("relevance", folder, "-o", tmp_path / "b.parquet").code == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    printed = json.loads(run_command("relevance", example, "--json").stdout)
    assert pd.read_parquet(tmp_path / "a.parquet")["budget_kbps"].unique().tolist() == [printed["budget_kbps"]]


def test_an_output_among_the_tables_is_refused(run_command, folder) -> None:
    outcome = run_command("plan", folder, "--budget", "300k", "-o", folder / "plans.parquet")
    assert outcome.code == 2
    assert "among the feature tables" in outcome.stderr


def test_a_filter_for_what_no_file_holds_is_refused(run_command, folder) -> None:
    outcome = run_command("plan", folder, "--budget", "300k", "--title", "nobody", "--csv")
    assert outcome.code == 1
    assert "the table has no title 'nobody'; it has bbb-rabbit-wakes-720p" in outcome.stderr


@pytest.mark.parametrize("command", [("plan", "--budget", "300k"), ("ladder",), ("relevance",)], ids=lambda c: c[0])
def test_filters_that_leave_nothing_leave_what_was_there(run_command, folder, tmp_path, command) -> None:
    output = tmp_path / "rows.csv"
    output.write_text("kept\n")
    outcome = run_command(*command[:1], folder, *command[1:], "--max-height", "2", "-o", output)
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert "--max-height" in outcome.error_line()
    assert output.read_text() == "kept\n"
    assert [path.name for path in tmp_path.iterdir() if "rows" in path.name] == ["rows.csv"]


def test_csv_of_a_folder_goes_to_stdout_on_a_fresh_machine(run_command, folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ABR_ALLOC_SCRATCH", str(tmp_path / "new" / "scratch"))
    outcome = run_command("plan", folder, "--budget", "300k", "--csv")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.startswith("title,scene,")


def test_a_url_is_refused_where_only_files_are_taken(run_command, example) -> None:
    outcome = run_command("ladder", example, "-o", "s3://results/ladder.json")
    assert outcome.code == 2
    assert "s3://results/ladder.json is a URL" in outcome.stderr


@pytest.mark.parametrize("words", [("plan", "--budget", "300k"), ("plan", "--budget", "300k", "--csv"), ("ladder",)])
def test_a_cluster_is_refused_for_what_is_done_here_in_one_go(run_command, example, words) -> None:
    outcome = run_command(words[0], example, *words[1:], "--scheduler", "tcp://127.0.0.1:1")
    assert outcome.code == 2
    assert "--scheduler is for results that are written as they come" in outcome.stderr
