"""Stereo and surround of a table: what is planned without it does not see it, and ladders with it have both."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.design import DesignOptions, design_catalogue, design_titles
from abr_alloc.allocation.filters import Filters, select
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.layouts import build_layouts
from abr_alloc.allocation.reference import load_reference
from abr_alloc.allocation.rung import expected_avq_mos, keeps_rules
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.allocation.surround_ladder import stereo_part
from abr_alloc.errors import ArgumentError, FeatureTableError, LadderFormatError
from abr_alloc.formats.ladder_file import ladder_document, read_designed
from abr_alloc.formats.result_rows import LADDER_COLUMNS, ladder_frame
from abr_alloc.models.audio_quality import prior_mos, transparent_kbps
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import FeatureTable, join_tables, read_features

TITLE = "documentary-nasa-jwst-270p"
AUDIENCE = read_audience("lognormal:median=300k,sigma=0.9")
SHARE = 0.25


@pytest.fixture(scope="module")
def plain(example) -> FeatureTable:
    return select(read_features(example), Filters(titles=(TITLE,)))


@pytest.fixture(scope="module")
def both(plain) -> FeatureTable:
    """With surround in two codecs: statistics as of stereo at the rate that counts."""
    frame = plain.frame
    rows = [frame]
    for codec, rates in (("eac3", {96: "32k", 192: "64k", 384: "128k"}), ("opus", {128: "64k", 256: "128k"})):
        for kbps, like in rates.items():
            own = frame[(frame["kind"] == "audio") & (frame["target"] == f"b={like}")]
            rows.append(own.assign(codec=codec, channels=6, target=f"b={kbps}k", bitrate_kbps=float(kbps)))
    joined = pd.concat(rows).sort_values(["title", "scene", "kind"], kind="stable", ignore_index=True)
    return FeatureTable(joined.astype({"channels": "Int32"}), plain.metadata)


def designed(table: FeatureTable, **options):
    (found,) = design_titles(
        build_layouts(table, load_model()),
        AUDIENCE,
        DesignOptions(**{"surround_share": SHARE, "num_rungs": 3} | options),
    )
    return found


@pytest.fixture(scope="module")
def ladder(both):
    return designed(both)


def test_surfaces_without_surround_are_what_they_are_without_its_rows(plain, both) -> None:
    model = load_model()
    for with_it, without in zip(build_surfaces(both, model), build_surfaces(plain, model), strict=True):
        assert with_it.audio == without.audio
        assert np.array_equal(with_it.avq_mos, without.avq_mos)
        assert with_it.shares == without.shares


def test_a_table_of_surround_alone_is_planned_with(both) -> None:
    alone = FeatureTable.checked(
        both.frame[(both.frame["kind"] == "video") | (both.frame["channels"] == 6)].reset_index(drop=True),
        both.metadata,
    )
    assert {a.channels for a in next(build_surfaces(alone, load_model())).audio} == {6}
    with pytest.raises(FeatureTableError, match="no stereo AAC"):
        designed(_without_aac(both))


def _without_aac(table: FeatureTable) -> FeatureTable:
    frame = table.frame.copy()
    frame.loc[(frame["kind"] == "audio") & (frame["channels"] == 2), "codec"] = "opus"
    return FeatureTable(frame, table.metadata)


def test_a_title_without_surround_is_named(plain) -> None:
    with pytest.raises(
        FeatureTableError, match=rf"{re.escape(TITLE)}' has no audio of 5\.1; extract it with `surround_co"
    ):
        list(build_layouts(plain, load_model()))


def test_every_rung_has_stereo_aac_and_surround_of_one_codec(ladder) -> None:
    found = ladder.ladder
    assert {r.audio.codec for r in found.rungs} == {"aac"} and {r.audio.channels for r in found.rungs} <= {1, 2}
    assert len({r.surround.audio.codec for r in found.rungs}) == 1 and {
        r.surround.audio.channels for r in found.rungs
    } == {6}
    assert keeps_rules(found, LadderRules())
    told = [r.played_share + r.surround.played_share for r in found.rungs]
    assert sum(told) + found.unreached_share == pytest.approx(1.0)


def test_what_is_expected_is_the_mean_over_both_parts_of_the_audience(ladder) -> None:
    rungs = ladder.ladder.rungs
    stereo = expected_avq_mos(np.array([r.total_kbps for r in rungs]), np.array([r.avq_mos for r in rungs]), AUDIENCE)
    surround = expected_avq_mos(
        np.array([r.surround.total_kbps for r in rungs]), np.array([r.surround.avq_mos for r in rungs]), AUDIENCE
    )
    assert ladder.ladder.expected_avq_mos == pytest.approx((1 - SHARE) * stereo + SHARE * surround, abs=1e-9)
    assert stereo_part(ladder.ladder, AUDIENCE, (0.0, 0.0)).expected_avq_mos == pytest.approx(stereo, abs=1e-12)


def test_a_codec_filter_is_about_stereo(both) -> None:
    kept = select(both, Filters(audio_codecs=("aac",)))
    assert set(kept.frame["codec"][kept.frame["channels"] == 6]) == {"eac3", "opus"}


def test_a_fixed_ladder_is_held_against_the_stereo(both) -> None:
    reference = load_reference("apple-hls-avc")
    (found,) = design_titles(
        build_layouts(both, load_model()), AUDIENCE, DesignOptions(surround_share=SHARE, num_rungs=2), reference
    )
    part = stereo_part(found.ladder, AUDIENCE, (0.0, 0.0))
    assert found.comparison.gain_mos == pytest.approx(
        part.expected_avq_mos - found.comparison.ladder.expected_avq_mos, abs=1e-9
    )


def test_files_and_rows_hold_it_and_files_are_checked(ladder, plain, tmp_path) -> None:
    document = ladder_document([ladder], {"options": {}})
    path = tmp_path / "ladder.json"
    path.write_text(json.dumps(document))
    (again,) = read_designed(path)
    assert again.ladder.rungs == ladder.ladder.rungs
    frame = ladder_frame([ladder])
    assert frame["surround_total_kbps"].tolist() == [r.surround.total_kbps for r in ladder.ladder.rungs]
    (without,) = design_titles(build_surfaces(plain, load_model()), AUDIENCE, DesignOptions(num_rungs=2))
    assert list(ladder_frame([without]).columns) == list(LADDER_COLUMNS)
    for change, said in (
        (lambda rungs: rungs[0].pop("surround"), "has surround on 2 of its 3 rungs"),
        (lambda rungs: rungs[0]["surround"].update(total_kbps=1e6), r"surround\.total_kbps of .* do not rise"),
        (lambda rungs: rungs[1]["surround"]["audio"].update(channels=2), "has audio of 2 channels"),
        (lambda rungs: rungs[2]["surround"].update(interval_mos=[5.0, 1.0]), "interval_mos"),
    ):
        broken = json.loads(json.dumps(document))
        change(broken["ladders"][0]["rungs"])
        path.write_text(json.dumps(broken))
        with pytest.raises(LadderFormatError, match=said):
            read_designed(path)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 25.0])
def test_a_share_is_above_0_and_below_1(share) -> None:
    with pytest.raises(ArgumentError, match="above 0 and below 1"):
        DesignOptions(surround_share=share)


def test_what_is_not_designed_with_surround_is_refused_in_a_line(both) -> None:
    from abr_alloc.allocation.cost import Prices
    from abr_alloc.allocation.shot_rules import ShotRules

    with pytest.raises(ArgumentError, match="`surround_share` and `shots` exclude"):
        DesignOptions(surround_share=0.2, shots=ShotRules())
    with pytest.raises(ArgumentError, match="`surround_share` and `prices` exclude"):
        DesignOptions(
            surround_share=0.2, prices=Prices(storage_per_gb_month=0.02, delivery_per_gb=0.02, views=1, months=1)
        )
    with pytest.raises(ArgumentError, match="`shared` and `surround_share` exclude"):
        design_catalogue(build_layouts(both, load_model()), AUDIENCE, DesignOptions(surround_share=0.2))


def test_5_1_counts_as_five_channels_and_transparent_is_as_good_as_in_stereo() -> None:
    def prior(codec: str, kbps: float, channels: int) -> float:
        return float(prior_mos([codec], np.array([kbps]), np.array([float(channels)]), np.array([np.nan]))[0])

    for codec in ("aac", "ac3", "eac3", "opus"):
        assert prior(codec, 2.5 * 96, 6) == prior(codec, 96, 2)
        assert prior(codec, 1e5, 6) == prior(codec, 1e5, 2)
        assert transparent_kbps(codec, 6) == 2.5 * transparent_kbps(codec, 2)


def test_tables_with_loudness_are_joined_and_those_without_say_nothing_of_it(both, tmp_path) -> None:
    from dataclasses import replace

    loud = {"a": {"1": {"lufs": None, "true_peak_db": -3.0}}}
    table = FeatureTable.checked(both.frame, replace(both.metadata, loudness=loud))
    table.save(tmp_path / "a.parquet")
    assert read_features(tmp_path / "a.parquet").metadata.loudness == loud
    assert join_tables([table, both]).metadata.loudness == loud
    both.save(tmp_path / "b.parquet")
    assert b"loudness" not in (tmp_path / "b.parquet").read_bytes()
