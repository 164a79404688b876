"""Results of the Python functions: what commands print and write, and what a notebook shows."""

from __future__ import annotations

import functools
import inspect
import json
import pickle

import numpy as np
import pandas as pd
import pytest

import abr_alloc
from abr_alloc.cli.export import _FORMATS as command_formats
from abr_alloc.formats.ladder_file import read_ladders
from abr_alloc.runs import extract_run
from abr_alloc.runs.export_run import FORMATS

ONE = "bbb-rabbit-wakes-720p"


@pytest.fixture
def table(example) -> abr_alloc.FeatureTable:
    return abr_alloc.read_features(example)


@pytest.mark.parametrize("per", ["scene", "title"])
def test_a_plan_is_what_the_command_prints(example, table, run_command, per):
    plan = abr_alloc.plan(table, [300, 500], per=per)
    words = ("plan", example, "--budget", "300k", "--budget", "500k", "--per", per)
    assert plan.to_json() == run_command(*words, "--json").stdout
    assert len(plan.to_frame()) == run_command(*words, "--csv").stdout.count("\n") - 1
    assert {row["budget_kbps"] for row in json.loads(plan.to_json())["plans"]} == {300, 500}


def test_features_may_be_a_path_and_a_model_its_name(example, table):
    by_name = abr_alloc.plan(str(example), 300, model="p1203")
    by_object = abr_alloc.plan(table, 300, model=abr_alloc.load_model("p1203"))
    assert by_name.allocations == by_object.allocations
    assert by_name.allocations != abr_alloc.plan(table, 300).allocations


def test_ladders_are_what_the_command_writes(example, table, run_command, tmp_path):
    ladders = abr_alloc.ladder(table, "4g", compare="apple-hls-avc")
    words = ("ladder", example, "--network", "4g", "--compare", "apple-hls-avc")
    assert ladders.to_json() == run_command(*words, "--json").stdout
    assert len(ladders) == 5 and ladders[0] is ladders.designed[0] and len(ladders[1:]) == 4
    assert [one.ladder.title for one in ladders] == sorted(one.ladder.title for one in ladders)
    ladders.save(tmp_path / "all.json")
    assert [one.title for one in read_ladders(tmp_path / "all.json")] == [one.ladder.title for one in ladders]
    (tmp_path / "folder").mkdir()
    ladders.save(tmp_path / "folder")
    assert run_command(*words, "-o", tmp_path).code == 0
    for path in (tmp_path / "folder").iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_relevance_is_what_the_command_prints(example, table, run_command):
    relevance = abr_alloc.relevance(table, 500)
    assert relevance.to_json() == run_command("relevance", example, "--budget", "500k", "--json").stdout
    frame = relevance.to_frame()
    np.testing.assert_allclose(frame["audio_share"] + frame["video_share"], 1.0)
    assert len(frame) == len(relevance.scenes) == 12


def test_a_budget_that_fits_nothing_is_no_empty_answer(table):
    assert len(abr_alloc.plan(table, 5).infeasible) == 12
    with pytest.raises(abr_alloc.AbrAllocError, match="5 kbps"):
        abr_alloc.relevance(table, 5)


@pytest.mark.parametrize("form", ["hls", "dash", "ffmpeg"])
def test_an_export_of_ladders_is_that_of_their_file(table, run_command, tmp_path, form):
    ladders = abr_alloc.ladder(table)
    ladders.save(tmp_path / "ladder.json")
    exported = abr_alloc.export(ladders, form, title=ONE)
    exported.save(tmp_path / "by_function")
    words = ("export", tmp_path / "ladder.json", "--format", form, "--title", ONE, "-o", tmp_path / "by_command")
    assert run_command(*words).code == 0
    assert (tmp_path / "by_function").read_bytes() == (tmp_path / "by_command").read_bytes()
    assert str(exported) == str(abr_alloc.export(tmp_path / "ladder.json", form, title=ONE))


def test_an_export_of_several_files_makes_its_folder(table, tmp_path):
    exported = abr_alloc.export(abr_alloc.ladder(table), "shaka-streamer", title=ONE)
    exported.save(tmp_path / "shaka")
    assert {path.name for path in (tmp_path / "shaka").iterdir()} == set(exported.files)


def test_the_command_exports_what_the_function_exports():
    assert set(command_formats) == {*FORMATS, "csv", "parquet"}


def test_what_an_export_does_not_know_is_named(table):
    ladders = abr_alloc.ladder(table)
    with pytest.raises(ValueError, match="'smooth'"):
        abr_alloc.export(ladders, "smooth")
    with pytest.raises(abr_alloc.AbrAllocError, match="5 titles; choose one: bbb"):
        abr_alloc.export(ladders, "hls")
    with pytest.raises(abr_alloc.AbrAllocError, match="no ladder for 'nobody'"):
        abr_alloc.export(ladders, "hls", title="nobody")


def test_a_report_is_the_page_that_the_command_writes(example, table, run_command, tmp_path):
    one = abr_alloc.FeatureTable(table.frame[table.frame["title"] == ONE], table.metadata)
    page = abr_alloc.report(one, budgets_kbps=[300])
    assert page.num_titles == 1
    page.save(tmp_path / "function.html")
    words = ("report", example, "--title", ONE, "--budget", "300k", "-o", tmp_path / "command.html")
    assert run_command(*words).code == 0
    function, command = ((tmp_path / f"{name}.html").read_text() for name in ("function", "command"))
    # Only the command that the page tells to copy knows where the table was.
    assert function.replace("FEATURES", str(example)) == command
    assert page._repr_html_().startswith("<iframe srcdoc=") and "&lt;html" in page._repr_html_()


def test_a_delivered_folder_is_checked_and_measured(delivered, film, film_ladder, run_command, in_threads):
    encoded = abr_alloc.encode(film, film_ladder, delivered, jobs=2)  # finished already
    assert encoded.to_frame()["rung"].tolist() == [1, 2, 3]
    assert encoded.to_json() == (delivered / "delivery.json").read_text()
    checked = abr_alloc.lint(delivered)
    assert checked.to_json() == run_command("lint", delivered, "--json").stdout
    assert len(checked.to_frame()) == len(checked.report.findings)
    tolerance = abr_alloc.Tolerance(rate=0.9, avq=3.0)
    verified = abr_alloc.verify(delivered, tolerance=tolerance, jobs=2)
    words = ("verify", delivered, "--tolerance", "rate=90%,avq=3", "--json")
    assert verified.to_json() == run_command(*words).stdout
    assert verified.ok and verified.to_frame()["ok"].all()
    assert not abr_alloc.verify(delivered, tolerance=abr_alloc.Tolerance(rate=1e-6, avq=3), jobs=2).ok
    for result in (encoded, checked, verified):
        assert "<table" in result._repr_html_()
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)  # noqa: S301 - our own, just made


def test_a_folder_without_a_playlist_is_no_stream(tmp_path):
    with pytest.raises(abr_alloc.AbrAllocError, match=r"is a folder without master\.m3u8; give a playlist"):
        abr_alloc.lint(tmp_path)


def test_a_source_is_measured_as_the_command_measures_it(clip, tiny_grid, run_command, tmp_path, in_threads):
    notes, stages = [], []

    def stage(label):
        import contextlib

        @contextlib.contextmanager
        def opened():
            stages.append(label)
            yield lambda done, total, label: stages.append(done)

        return opened()

    feedback = abr_alloc.Feedback(note=notes.append, stage=stage)
    table = abr_alloc.extract(clip, grid=tiny_grid, cache=tmp_path / "cache", jobs=1, feedback=feedback)
    words = ("extract", clip, "--grid", tiny_grid, "--cache", tmp_path / "cache", "-o", tmp_path / "f.parquet")
    assert run_command(*words).code == 0
    pd.testing.assert_frame_equal(table.frame, abr_alloc.read_features(tmp_path / "f.parquet").frame)
    assert stages[0] == "looking at sources" and len(stages) > 1


def test_every_option_of_extract_gets_to_where_options_are_made(clip, monkeypatch):
    class Seen(Exception):
        pass

    def options(**given):
        raise Seen(given)

    shared = {*inspect.signature(extract_run.extract_options).parameters}
    shared &= {*inspect.signature(abr_alloc.extract).parameters}
    monkeypatch.setattr(extract_run, "extract_options", options)
    with pytest.raises(Seen) as seen:
        abr_alloc.extract(clip, tone_map="hable", audio_features="listener")
    given = seen.value.args[0]
    assert given.keys() == shared
    assert (given["tone_map"], given["audio_features"]) == ("hable", "listener")


def test_the_family_of_audio_features_is_chosen_by_name(clip, tiny_grid, tmp_path, in_threads):
    how = {"grid": tiny_grid, "cache": tmp_path / "cache", "jobs": 1}
    table = abr_alloc.extract(clip, audio_features="listener", **how)
    assert table.metadata.audio_feature_version == "listener/1"
    again = abr_alloc.measure_renditions(clip, clip, audio_features="listener", cache=tmp_path / "cache", jobs=1)
    assert again.metadata.audio_feature_version == "listener/1"
    for call in (abr_alloc.extract, functools.partial(abr_alloc.measure_renditions, clip)):
        with pytest.raises(abr_alloc.AbrAllocError, match=r"audio_features.*visqol.*listener"):
            call(clip, audio_features="peaq", cache=tmp_path / "cache")


def test_sources_that_fail_are_named_after_the_others_are_measured(clip, tiny_grid, tmp_path, in_threads):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    with pytest.raises(abr_alloc.AbrAllocError, match="1 of 2"):
        abr_alloc.extract([clip, broken], grid=tiny_grid, cache=tmp_path / "cache", jobs=1)
    kept = [path.name for path in (tmp_path / "cache" / "scores").rglob("*") if path.is_file()]
    assert kept, "what was measured is kept"


def test_text_from_files_is_escaped_in_a_notebook(table):
    frame = table.frame.assign(
        title=table.frame["title"].where(table.frame["title"] != ONE, "<script>alert(1)</script>")
    )
    evil = abr_alloc.FeatureTable(frame.sort_values(["title", "scene", "kind"], kind="stable"), table.metadata)
    for result in (abr_alloc.plan(evil, 300), abr_alloc.ladder(evil), abr_alloc.relevance(evil, 300)):
        shown = result._repr_html_()
        assert "<table" in shown and "<script>" not in shown and "&lt;script&gt;" in shown


def test_results_show_themselves_as_tables_at_a_prompt(table):
    for result in (table, abr_alloc.plan(table, 300), abr_alloc.ladder(table), abr_alloc.relevance(table, 300)):
        shown = repr(result)
        assert ONE in shown and "VideoRendition(" not in shown
        assert max(map(len, shown.splitlines())) < 300


def test_a_table_is_saved_as_it_was_read(table, tmp_path):
    table.save(tmp_path / "copy.parquet")
    again = abr_alloc.read_features(tmp_path / "copy.parquet")
    pd.testing.assert_frame_equal(again.to_frame(), table.to_frame())
    assert again.metadata == table.metadata
