"""A shipped ladder: what is wasted, what its rate buys, and what it could be, against every way tried out."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.advice import advise
from abr_alloc.allocation.alternatives import (
    cheapest,
    families,
    mean_kbps_of,
    new_audio,
    re_paired,
    redesigned,
    trimmed,
)
from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.audit import audit_title
from abr_alloc.allocation.audit_results import AuditOptions
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.given_ladder import GivenAudio, GivenLadder, GivenRung, GivenVideo
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.matching import match_ladder
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.allocation.rung import dominator, expected_avq_mos, make_ladder
from abr_alloc.allocation.surface import AudioRendition, VideoRendition, build_surfaces
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.errors import LadderFormatError
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

NETWORK = lognormal(300, 0.9)
TITLE = "documentary-nasa-jwst-270p"
WASTEFUL = ((25, 192), (60, 192), (62, 32), (120, 48), (230, 128))
"""Video and audio rates of a ladder with every fault: dear audio below, poor audio above, two rungs in one place."""


@pytest.fixture(scope="module")
def model():
    return load_model("attentive")


@pytest.fixture(scope="module")
def scenes(example, model):
    surfaces = build_surfaces(read_features(example), model)
    return [surface for surface in surfaces if surface.title == TITLE]


def given_rungs(pairs, title=None) -> GivenLadder:
    rungs = tuple(
        GivenRung(
            place=f"line {i}",
            video=GivenVideo(codec="h264", width_px=480, height_px=270, kbps=float(video)),
            audio=GivenAudio(codec="aac", kbps=float(audio)),
        )
        for i, (video, audio) in enumerate(pairs, 2)
    )
    return GivenLadder(name="shipped.csv", rungs=rungs, title=title)


@pytest.fixture(scope="module")
def family(scenes):
    surface = merge_scenes(scenes)
    matched, left = match_ladder(surface, given_rungs(WASTEFUL))
    assert not left
    (found,) = families(surface, matched, NETWORK, overhead=0.02)
    return found


@pytest.fixture(scope="module")
def found(scenes, model):
    prices = Prices(storage_per_gb_month=1.0, delivery_per_gb=2.0, views=1000.0)
    return audit_title(scenes, given_rungs(WASTEFUL), NETWORK, model, AuditOptions(prices=prices)).families[0]


@settings(deadline=None)  # the first example pays for what is imported late
@given(points=st.lists(st.tuples(st.integers(1, 5), st.integers(10, 14)), min_size=1, max_size=6))
def test_a_rung_is_dominated_if_and_only_if_another_is_as_good_at_no_more_rate(points) -> None:
    video = VideoRendition(codec="h264", width_px=2, height_px=2, target="v", bitrate_kbps=1.0)
    audio = AudioRendition(codec="aac", channels=2, target="a", bitrate_kbps=1.0)
    ordered = sorted(points)
    ladder = make_ladder("t", [(video, audio, float(t), q / 4, "") for t, q in ordered], NETWORK, (0.0, 0.0))
    for k, (t, q) in enumerate(ordered):
        better = [j for j, (u, p) in enumerate(ordered) if u <= t and p >= q and ((u, p) != (t, q) or j < k)]
        named = dominator(ladder, k)
        assert (named is None) == (not better)
        if named is not None:
            assert named - 1 in better and ordered[named - 1][1] == max(ordered[j][1] for j in better)


def test_no_assignment_of_its_own_audio_beats_the_re_paired_ladder(family) -> None:
    way = re_paired(family)
    own = sorted({r.audio_index for r in family.rungs}, key=lambda i: family.own.audio[i].bitrate_kbps)
    rows = sorted(family.rungs, key=lambda r: r.video.bitrate_kbps)
    best = max(
        family.ladder_of([(r, own[a]) for r, a in zip(rows, choice, strict=True)]).expected_avq_mos
        for choice in itertools.combinations_with_replacement(range(len(own)), len(rows))
    )
    assert way is not None and way.ladder.expected_avq_mos == pytest.approx(best, abs=1e-7)
    assert way.gain_mos == pytest.approx(best - family.as_it_is().expected_avq_mos, abs=1e-7)
    assert {r.audio.identity for r in way.ladder.rungs} <= {r.audio.identity for r in family.as_it_is().rungs}
    assert [r.video for r in way.ladder.rungs] == [r.video for r in rows], "every video stays"
    rates = [r.audio.bitrate_kbps for r in way.ladder.rungs]
    assert rates == sorted(rates)


def test_new_audio_is_at_least_as_good_within_its_rules_and_never_dearer_than_transparent(family) -> None:
    way, own = new_audio(family, LadderRules(max_audio=2)), re_paired(family)
    assert way is not None and own is not None
    assert len({r.audio.identity for r in way.ladder.rungs}) <= 2
    assert all(r.audio.target != "b=192k" for r in way.ladder.rungs)
    free = new_audio(family, LadderRules(max_audio=None))
    assert free is not None and free.gain_mos >= way.gain_mos - 1e-9


@pytest.mark.parametrize("max_loss_mos", [0.0, 0.02, 0.3])
def test_no_smaller_set_of_rungs_loses_as_little(family, max_loss_mos) -> None:
    rules = LadderRules(max_ratio=100.0)  # no gap is too wide
    way, whole = trimmed(family, rules, max_loss_mos), re_paired(family)
    assert whole is not None
    total = np.array([r.total_kbps for r in whole.ladder.rungs])
    avq = np.array([r.avq_mos for r in whole.ladder.rungs])
    sizes = [
        size
        for size in range(1, len(total) + 1)
        for kept in itertools.combinations(range(len(total)), size)
        if expected_avq_mos(total[list(kept)], avq[list(kept)], NETWORK)
        >= whole.ladder.expected_avq_mos - max_loss_mos - 1e-12
    ]
    assert len(total if way is None else way.ladder.rungs) == min(sizes)
    assert way is None or way.gain_mos >= -max_loss_mos - 1e-9


def test_no_gap_opens_that_the_rules_forbid(family) -> None:
    way = trimmed(family, LadderRules(max_ratio=1.9), 3.0)
    assert way is not None
    total = [r.total_kbps for r in way.ladder.rungs]
    whole = re_paired(family)
    were = [r.total_kbps for r in whole.ladder.rungs]
    for low, high in itertools.pairwise(total):
        assert high <= 1.9 * low or were.index(high) == were.index(low) + 1


def test_a_redesigned_ladder_has_as_many_rungs_or_says_why_not(family) -> None:
    way, reason = redesigned(family, LadderRules(min_ratio=1.1), 5.0)
    assert way is not None and len(way.ladder.rungs) == len(family.rungs) and not reason
    assert way.gain_mos > 0.0 and way.mean_kbps == pytest.approx(mean_kbps_of(way.ladder))
    few, reason = redesigned(family, LadderRules(min_ratio=2.4), 5.0)
    assert few is not None and len(few.ladder.rungs) < len(family.rungs) and "rungs keeps the rules" in reason


def test_the_cheapest_ladder_gives_as_much_for_less_and_none_that_gives_it_sends_less(family) -> None:
    """`priced_search` is held against every way tried out by its own tests; here, that it is asked rightly."""
    rules = LadderRules(min_ratio=1.1)
    way, best = cheapest(family, rules, 5.0), redesigned(family, rules, 5.0)[0]
    assert way is not None and best is not None
    assert -1e-9 <= way.gain_mos <= best.gain_mos
    assert len(way.ladder.rungs) <= len(family.rungs)
    assert way.saved_kbps > best.saved_kbps
    assert way.mean_kbps == pytest.approx(sum(r.played_share * r.total_kbps for r in way.ladder.rungs))


def test_every_rung_is_judged(found, scenes) -> None:
    by_video = sorted(found.rungs, key=lambda r: r.rung.video.bitrate_kbps)
    verdicts = [r.audio_verdict for r in by_video]
    assert verdicts == ["too much", "too much", "too little", "too little", "right"]
    assert [r.dominated_by for r in by_video] == [2, 2, None, None, None], "the third by rate, and better than both"
    for rung, verdict in zip(by_video, verdicts, strict=True):
        if verdict != "right":
            cheaper = rung.best.audio.bitrate_kbps < rung.rung.audio.bitrate_kbps
            assert rung.best.gain_mos >= TIE_MOS and cheaper == (verdict == "too much")
    for rung in found.rungs:
        assert rung.best.total_kbps <= rung.rung.total_kbps * (1 + 1e-9)
        assert rung.audio_share + rung.video_share == 1.0 and 0.0 <= rung.audio_share <= 1.0
    assert [r.rung.total_kbps for r in found.rungs] == sorted(r.rung.total_kbps for r in found.rungs)
    assert sum(r.rung.played_share for r in found.rungs) == pytest.approx(1.0 - found.ladder.unreached_share)
    assert found.cost.delivery == pytest.approx(sum(r.cost.delivery for r in found.rungs))


def test_what_a_rung_is_worth_is_what_the_ladder_loses_without_it(found, scenes, model) -> None:
    for k, rung in enumerate(found.rungs):
        others = [pair for i, pair in enumerate(sorted(WASTEFUL, key=sum)) if i != k]
        without = audit_title(scenes, given_rungs(others), NETWORK, model).families[0]
        loss = found.ladder.expected_avq_mos - without.ladder.expected_avq_mos
        assert rung.loss_mos == pytest.approx(loss, abs=1e-6)


def test_advice_is_what_an_engineer_can_do_with_what_it_brings_and_what_is_not_certain(found) -> None:
    lines = advise(found)
    by_kind = {line.kind: line for line in lines}
    assert [line.kind for line in lines][:2] == ["pair", "drop"], "what needs no encode comes first"
    pair = by_kind["pair"]
    assert pair.text.startswith("Pair again, without any encode: rung")
    assert f"Expected AVQ {found.re_paired.gain_mos:+.3f}" in pair.text and " kbps (" in pair.text
    for line in lines:
        assert line.told_apart == (abs(line.gain_mos) > found.difference_mos)
        told = abs(line.gain_mos) >= 0.0005
        assert line.text.endswith(" *") == (told and not line.told_apart), "a gain within the model's error is marked"


def test_a_ladder_of_another_title_or_of_no_rung_that_fits_is_refused(scenes, model) -> None:
    with pytest.raises(LadderFormatError, match=f"shipped.csv is a ladder of title 'other', not of '{TITLE}'"):
        audit_title(scenes, given_rungs(WASTEFUL, "other"), NETWORK, model)
    with pytest.raises(LadderFormatError, match=r"no rung of shipped.csv has a place .* line 2: 9000k is above"):
        audit_title(scenes, given_rungs([(9000, 128)]), NETWORK, model)
    with pytest.raises(LadderFormatError, match="has no rungs"):
        audit_title(scenes, GivenLadder(name="shipped.csv", rungs=()), NETWORK, model)


def test_codecs_are_ladders_of_their_own(scenes, model) -> None:
    """A player switches within a codec; a rung of a codec that the table lacks is left out alone."""
    other = given_rungs(WASTEFUL).rungs[0]
    rungs = (
        *given_rungs(WASTEFUL).rungs,
        GivenRung(place="line 9", video=other.video, audio=GivenAudio(codec="opus", kbps=64.0)),
    )
    found = audit_title(scenes, GivenLadder(name="l", rungs=rungs), NETWORK, model)
    assert [(f.video_codec, f.audio_codec, len(f.rungs)) for f in found.families] == [("h264", "aac", len(WASTEFUL))]
    assert [one.given.place for one in found.unmatched] == ["line 9"]


def test_audio_beyond_transparent_goes_without_an_encode_and_is_never_paired_anew(scenes) -> None:
    """Were it only for the model's last thousandth, what is called too much would be advised as well."""
    matched, _ = match_ladder(merge_scenes(scenes), given_rungs([(60, 128), (115, 192), (230, 192)]))
    (found,) = families(merge_scenes(scenes), matched, NETWORK, overhead=0.02)
    way = re_paired(found)
    assert way is not None and [change.rung for change in way.changed] == [2, 3]
    assert {r.audio.target for r in way.ladder.rungs} == {"b=128k"}
    assert way.gain_mos > -TIE_MOS


def test_rungs_are_dropped_for_what_they_are_once_paired_again(scenes, model) -> None:
    """A large picture with poor audio is dominated as it is; beside the audio that it gets it is not."""
    found = audit_title(scenes, given_rungs([(60, 32), (115, 128), (230, 32)]), NETWORK, model).families[0]
    assert found.rungs[2].dominated_by is not None or found.rungs[1].dominated_by is not None
    options = AuditOptions(max_loss_mos=3.0)
    loose = audit_title(scenes, given_rungs([(60, 32), (115, 128), (230, 32)]), NETWORK, model, options).families[0]
    (line,) = [line for line in advise(loose) if line.kind == "drop"]
    assert "no better than" not in line.text and " adds " in line.text


@pytest.mark.parametrize(("width_add", "height_less", "is_it"), [(2, 0, True), (0, 120, False)])
def test_a_label_is_its_stream_with_or_without_square_pixels_and_no_other_size(
    scenes, width_add, height_less, is_it
) -> None:
    whole = merge_scenes(scenes)
    largest = max(range(len(whole.video)), key=lambda i: whole.video[i].bitrate_kbps)
    named = tuple(dataclasses.replace(v, target="v1") if i == largest else v for i, v in enumerate(whole.video))
    own = whole.video[largest]
    (rung,) = given_rungs([(230, 128)]).rungs
    asked = dataclasses.replace(
        rung.video, label="v1", width_px=own.width_px + width_add, height_px=own.height_px - height_less
    )
    ladder = GivenLadder(name="l", rungs=(dataclasses.replace(rung, video=asked),))
    matched, left = match_ladder(dataclasses.replace(whole, video=named), ladder)
    named_it = [one.how for one in matched if one.video.target == "v1"]
    assert named_it == (["measured"] if is_it else []), left
