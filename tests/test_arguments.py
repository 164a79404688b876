"""Functions refuse the values that the command line refuses."""

import math
from fractions import Fraction

import pytest

import abr_alloc
from abr_alloc.arguments import require_budgets, require_number
from abr_alloc.errors import AbrAllocError, ArgumentError
from abr_alloc.runs.extract_run import extract_options


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "3", None, True])
def test_a_number_out_of_its_range_is_named(value):
    with pytest.raises(ArgumentError, match="`rate` is "):
        require_number("rate", value, 0.0, 1e9, above=True)


@pytest.mark.parametrize("value", [1, 0.5, Fraction(1, 3), 1e9])
def test_a_number_of_the_range_passes(value):
    require_number("rate", value, 0.0, 1e9, above=True)


def test_one_budget_or_several():
    assert require_budgets("budget_kbps", 300) == [300.0]
    assert require_budgets("budget_kbps", (300, 500.5)) == [300.0, 500.5]
    for text in ("300", b"300"):
        with pytest.raises(TypeError, match="budget_kbps is a number"):
            require_budgets("budget_kbps", text)


@pytest.mark.parametrize("budget", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("function", ["plan", "relevance", "report"])
def test_no_function_plans_a_budget_that_is_none(function, budget, example):
    words = {"budgets_kbps": [budget]} if function == "report" else {"budget_kbps": budget}
    with pytest.raises(ArgumentError, match="is not positive and finite"):
        getattr(abr_alloc, function)(str(example), **words)


@pytest.mark.parametrize("overhead", [-1, 2, math.nan, "a"])
def test_an_overhead_is_a_share(overhead, example):
    with pytest.raises(ArgumentError, match="`overhead` is "):
        abr_alloc.plan(str(example), 300, overhead=overhead)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (abr_alloc.Limits, {"pool": "worst"}),
        (abr_alloc.Limits, {"max_rate_kbps": 0}),
        (abr_alloc.Limits, {"max_rate_kbps": math.nan}),
        (abr_alloc.Limits, {"min_avq_mos": 9}),
        (abr_alloc.Limits, {"time_limit_s": math.nan}),
        (abr_alloc.DesignOptions, {"num_rungs": 0}),
        (abr_alloc.DesignOptions, {"num_rungs": 2.5}),
        (abr_alloc.DesignOptions, {"overhead": -1}),
        (abr_alloc.DesignOptions, {"round_kbps": 0}),
        (abr_alloc.Tolerance, {"rate": -1}),
        (abr_alloc.Tolerance, {"avq": math.nan}),
        (extract_options, {"probes": "some"}),
        (extract_options, {"digest_s": -1}),
        (extract_options, {"max_scene_s": 0}),
        (extract_options, {"audio_track": 0}),
        (extract_options, {"max_megapixels": math.nan}),
    ],
)
def test_options_out_of_their_range_are_refused(make, words):
    (name,) = words
    with pytest.raises(ArgumentError, match=f"`{name}` is "):
        make(**words)


def test_what_is_measured_encoded_and_exported_is_checked_before_any_work(example, tmp_path):
    with pytest.raises(ArgumentError, match="`sources` is empty"):
        abr_alloc.extract([])
    with pytest.raises(ArgumentError, match="`jobs` is -1"):
        abr_alloc.extract("film.mp4", jobs=-1)
    with pytest.raises(ArgumentError, match="`language` is 'not a language'"):
        abr_alloc.encode("film.mp4", "ladder.json", tmp_path / "out", language="not a language")
    ladders = abr_alloc.ladder(str(example))
    for words in ({"fps": -1}, {"fps": math.nan}, {"duration_s": 0}):
        (name,) = words
        with pytest.raises(ArgumentError, match=f"`{name}` is "):
            abr_alloc.export(ladders, "dash", title=ladders[0].ladder.title, **words)


def test_one_audio_codec_is_a_word_and_not_its_letters():
    assert extract_options(audio_codecs="opus").audio_codecs == ("opus",)


def test_it_is_a_value_error_of_the_package():
    assert issubclass(ArgumentError, AbrAllocError) and issubclass(ArgumentError, ValueError)
