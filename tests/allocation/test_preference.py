"""How likely people are to rate one pair higher than another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from abr_alloc.allocation.preference import NOTICED_MOS, preference_probability

DIFFERENCES = st.floats(0.0, 4.0)
ERRORS = st.floats(0.01, 2.0)


@given(DIFFERENCES, ERRORS)
def test_the_probability_is_that_of_a_normal_error_with_the_models_interval(difference, error) -> None:
    expected = norm.sf(NOTICED_MOS, loc=difference, scale=error / 1.645)
    assert preference_probability(difference, error) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(ERRORS)
def test_a_difference_of_the_margin_itself_is_a_toss(error) -> None:
    assert preference_probability(NOTICED_MOS, error) == 0.5


@given(DIFFERENCES, DIFFERENCES, ERRORS)
def test_a_larger_difference_is_never_less_likely_to_be_preferred(one, other, error) -> None:
    low, high = sorted((one, other))
    assert preference_probability(low, error) <= preference_probability(high, error)


@given(st.floats(0.0, NOTICED_MOS), ERRORS, ERRORS)
def test_a_model_that_knows_less_never_makes_people_more_indifferent(difference, one, other) -> None:
    small, large = sorted((one, other))
    assert preference_probability(difference, small) <= preference_probability(difference, large) <= 0.5


def test_a_model_that_never_errs_decides_by_the_margin() -> None:
    assert preference_probability(0.24, 0.0) == 0.0
    assert preference_probability(0.25, 0.0) == 1.0


@pytest.mark.parametrize(("difference", "error"), [(math.nan, 0.2), (0.1, math.nan), (0.1, -0.1)])
def test_what_is_no_difference_or_no_error_is_refused(difference, error) -> None:
    with pytest.raises(ValueError, match="no probability"):
        preference_probability(difference, error)
