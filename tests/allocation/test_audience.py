"""Audiences: shares against SciPy and by hand, and what is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abr_alloc import defaults
from abr_alloc.allocation.audience import lognormal, read_audience, weighted
from abr_alloc.errors import AudienceError
from abr_alloc.shipped import NETWORKS


@settings(deadline=None, max_examples=100)
@given(st.floats(10, 1e5), st.floats(0.05, 3), st.lists(st.floats(1, 1e6), min_size=1, max_size=5))
def test_a_lognormal_share_is_the_tail_that_scipy_gives(median, sigma, kbps) -> None:
    expected = stats.lognorm(s=sigma, scale=median).sf(kbps)
    assert lognormal(median, sigma).share_with(np.array(kbps)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_half_of_a_lognormal_audience_has_the_median() -> None:
    audience = read_audience("lognormal:median=3M,sigma=0.9")
    assert audience.share_with(np.array([3000.0])) == pytest.approx([0.5])
    assert audience.network == "lognormal:median=3M,sigma=0.9"


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(st.integers(1, 2000), st.integers(0, 9), min_size=1, max_size=8).filter(lambda m: any(m.values())),
    st.lists(st.integers(1, 2500), min_size=1, max_size=5),
)
def test_a_weighted_share_is_the_weight_at_or_above_a_rate(masses, rates) -> None:
    kbps = np.array(sorted(masses), dtype=float)
    audience = weighted(kbps, np.array([masses[int(b)] for b in kbps], dtype=float), "n")
    expected = [sum(w for b, w in masses.items() if b >= rate) / sum(masses.values()) for rate in rates]
    assert audience.share_with(np.array(rates, dtype=float)) == pytest.approx(expected)


def test_viewers_whose_bandwidth_is_exactly_the_rate_are_included() -> None:
    audience = weighted(np.array([100.0, 300.0]), np.array([1.0, 3.0]), "n")
    rates = np.array([100.0, np.nextafter(100.0, 200.0), 100.001, 300.0, 300.001])
    assert audience.share_with(rates) == pytest.approx([1.0, 1.0, 0.75, 0.75, 0.0])


def test_rates_that_add_up_to_a_mass_point_are_included_despite_rounding() -> None:
    total = (0.1 + 0.2) * 1000  # a little above 300
    assert total > 300.0
    assert weighted(np.array([300.0]), np.array([1.0]), "n").share_with(np.array([total])) == pytest.approx([1.0])


@pytest.mark.parametrize("name", [*NETWORKS, defaults.NETWORK])
def test_what_ships_parses_with_positive_parameters(name: str) -> None:
    text = NETWORKS[name][0] if name in NETWORKS else name
    median, sigma = re.fullmatch(r"lognormal:median=([\d.]+)[kM],sigma=([\d.]+)", text).groups()
    assert float(median) > 0 and float(sigma) > 0
    audience = read_audience(name)
    share = audience.share_with(np.geomspace(10, 1e6, 50))
    assert (np.diff(share) <= 0).all() and share[0] > 0.99 and share[-1] < 0.01
    assert audience.network == name


@pytest.mark.parametrize(
    ("preset", "mean_mbps", "spread_mbps"), [("3g", 1.32, 0.59), ("4g", 30.3, 16.7)], ids=["3g", "4g"]
)
def test_presets_have_the_mean_and_the_spread_that_they_cite(preset, mean_mbps, spread_mbps) -> None:
    median, sigma = re.fullmatch(r"lognormal:median=([\d.]+)[kM],sigma=([\d.]+)", NETWORKS[preset][0]).groups()
    scale = float(median) / (1000 if "k," in NETWORKS[preset][0] else 1)
    mean, variance = stats.lognorm(s=float(sigma), scale=scale).stats()
    assert (mean, variance**0.5) == pytest.approx((mean_mbps, spread_mbps), rel=0.01)


def test_a_csv_file_is_read(tmp_path) -> None:
    path = tmp_path / "Own Network.CSV"
    path.write_bytes(b"\xef\xbb\xbf KBPS , weight\r\n100,1\r\n\r\n 300 , 3\r\n")
    audience = read_audience(str(path))
    assert audience.share_with(np.array([50.0, 200.0, 400.0])) == pytest.approx([1.0, 0.75, 0.0])
    assert audience.network == str(path)


BAD_CSV = {
    "a negative weight": ("kbps,weight\n100,1\n200,-2\n", "weight of -2"),
    "unsorted rates": ("kbps,weight\n300,1\n100,1\n", "100 kbps follows 300"),
    "a repeated rate": ("kbps,weight\n100,1\n100,2\n", "100 kbps follows 100"),
    "no rows": ("kbps,weight\n", "no rows"),
    "nothing": ("", "kbps,weight"),
    "no header": ("100,1\n200,2\n", "kbps,weight"),
    "another header": ("rate,share\n100,1\n", "kbps,weight"),
    "NaN": ("kbps,weight\n100,nan\n", "no finite number"),
    "infinity": ("kbps,weight\ninf,1\n", "no finite number"),
    "a rate of zero": ("kbps,weight\n0,1\n100,1\n", "rate of 0"),
    "text": ("kbps,weight\n100,1\n200,many\n", "row 3: '200,many'"),
    "a missing weight": ("kbps,weight\n100\n", "row 2: '100'"),
    "a third column": ("kbps,weight\n100,1,2\n", "row 2: '100,1,2'"),
    "weights of zero": ("kbps,weight\n100,0\n200,0\n", "are 0"),
}


@pytest.mark.parametrize("fault", BAD_CSV)
def test_a_csv_file_is_refused_for(fault: str, tmp_path) -> None:
    text, named = BAD_CSV[fault]
    path = tmp_path / "network.csv"
    path.write_text(text)
    with pytest.raises(AudienceError) as refused:
        read_audience(str(path))
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


def test_a_csv_file_that_cannot_be_read_is_named(tmp_path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "binary.csv").write_bytes(bytes([0xFF, 0xFE, 0x00]) * 9)
    for name in ("missing.csv", "folder.csv", "binary.csv"):
        with pytest.raises(AudienceError, match=name):
            read_audience(str(tmp_path / name))


@pytest.mark.parametrize(
    "text",
    [
        "5g",
        "",
        "lognormal",
        "lognormal:median=3M",
        "lognormal:sigma=0.9,median=3M",
        "lognormal:median=fast,sigma=0.9",
        "lognormal:median=3000,sigma=0.9",
        "lognormal:median=3M,sigma=wide",
        "lognormal:median=3M,sigma=0",
        "lognormal:median=3M,sigma=-1",
        "lognormal:median=3M,sigma=nan",
        "lognormal:median=3M,sigma=inf",
        "network.txt",
    ],
)
def test_a_network_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(AudienceError) as refused:
        read_audience(text)
    assert text in str(refused.value) or "sigma" in str(refused.value)
