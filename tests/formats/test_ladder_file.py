"""Ladder files: what is written is read back, and what is no ladder file is refused by name."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.cost import CostProof, LadderCost, RungCost
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.interpolation import Crossover
from abr_alloc.allocation.reference import Comparison
from abr_alloc.allocation.rung import Ladder, TitleAtRung, make_ladder
from abr_alloc.allocation.surface import AudioRendition, Probe, VideoRendition
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_file import (
    SCHEMA_VERSION,
    as_reference,
    ladder_document,
    read_designed,
    read_ladders,
    read_title_facts,
)

SHIPPED = sorted((Path(__file__).parents[2] / "ladders" / "titles").glob("*.json"))


def video(side: int, kbps: float, *probes: Probe) -> VideoRendition:
    return VideoRendition(
        codec="h264", width_px=2 * side, height_px=side, target="t", bitrate_kbps=kbps, nearest_probes=probes
    )


def ladder(title: str) -> Ladder:
    aac = AudioRendition(codec="aac", channels=2, target="b=64k", bitrate_kbps=64.123456789)
    probes = Probe(target="crf=30", bitrate_kbps=100.1), Probe(target="crf=20", bitrate_kbps=1 / 3 * 1000)
    rungs = [(video(180, 200.0, *probes), aac, 270.0, 2.0, ""), (video(360, 1000 / 3), aac, 400.5, math.pi, "as 360p")]
    return make_ladder(title, rungs, lognormal(800, 0.9, "own, network"), (-0.3, 0.2))


def with_titles(found: Ladder) -> Ladder:
    at = TitleAtRung(title="a", width_px=2, height_px=1, avq_mos=2.5, note="as 1p")
    return replace(found, rungs=tuple(replace(rung, titles=(at,)) for rung in found.rungs))


def designed(found: Ladder) -> TitleLadder:
    cost = LadderCost(duration_s=100 / 3, rungs=tuple(RungCost(storage=1 / 3, delivery=2.0) for _ in found.rungs))
    proof = CostProof(cost_budget=4.0, bound=3.1, gap=0.0, mos_per_money=0.1, complete=True)
    comparison = Comparison(
        reference="other",
        ladder=found,
        left_out=("1920x1080 7800k: larger than the source (720p)",),
        gain_mos=0.1,
        same_rungs_gain_mos=None,
        rungs_needed=None,
        bd_rate_percent=None,
        breaks_rules=True,
        cost=cost,
        same_avq_cost=1.5,
    )
    crossover = Crossover(kbps=300.0, below_px=(320, 180), above_px=(640, 360))
    return TitleLadder(
        ladder=found,
        num_candidates=99,
        crossovers=(crossover,),
        comparison=comparison,
        cost=cost,
        cost_proof=proof,
    )


@pytest.fixture
def document() -> dict:
    found = ladder_document([designed(ladder("Ünïcode / title"))], {"model": {"name": "m"}, "options": {"x": None}})
    return json.loads(json.dumps(found, allow_nan=False))


@pytest.fixture
def save(tmp_path):
    def write(content) -> Path:
        path = tmp_path / "ladder.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_what_is_written_is_read_back(save) -> None:
    ladders = [ladder("a"), with_titles(ladder("Ünïcode / title"))]
    document = ladder_document([designed(found) for found in ladders], {})
    assert read_ladders(save(json.dumps(document, allow_nan=False))) == ladders


def test_a_file_of_before_vmaf_and_probabilities_is_read(document, save) -> None:
    def strip(found) -> None:
        for name in ("vmaf", "quality_mos", "preference_over_below", "bd_rate_vmaf_percent"):
            found.pop(name, None)
        for inner in found.values():
            for one in inner if isinstance(inner, list) else [inner]:
                if isinstance(one, dict):
                    strip(one)

    strip(document)
    assert "vmaf" not in json.dumps(document)
    (found,) = read_designed(save(document))
    assert found.ladder == ladder("Ünïcode / title")
    assert found.comparison is not None and found.comparison.bd_rate_vmaf_percent is None


def test_vmaf_probabilities_and_both_savings_are_read_back(save) -> None:
    scored = with_titles(ladder("a"))
    below, above = scored.rungs
    (at,) = above.titles
    above = replace(
        above,
        video=replace(above.video, vmaf=87.5),
        audio=replace(above.audio, quality_mos=4.25),
        titles=(replace(at, vmaf=12.5),),
        preference_over_below=0.75,
    )
    found = designed(replace(scored, rungs=(below, above)))
    assert found.comparison is not None
    found = replace(found, comparison=replace(found.comparison, bd_rate_percent=-12.0, bd_rate_vmaf_percent=3.0))
    assert read_designed(save(ladder_document([found], {}))) == [found]


def test_a_document_holds_version_provenance_and_the_comparison(document) -> None:
    assert (document["schema_version"], document["command"]) == (SCHEMA_VERSION, "ladder")
    assert document["model"] == {"name": "m"} and document["options"] == {"x": None}
    (found,) = document["ladders"]
    assert found["comparison"]["reference"] == "other"
    assert found["comparison"]["ladder"]["rungs"] == found["rungs"]
    assert found["crossovers"] == [{"kbps": 300.0, "below_px": [320, 180], "above_px": [640, 360]}]


def test_only_interpolated_renditions_name_their_probes(document) -> None:
    between, measured = (rung["video"] for rung in document["ladders"][0]["rungs"])
    assert between["interpolated"] is True
    assert [probe["target"] for probe in between["nearest_probes"]] == ["crf=30", "crf=20"]
    assert measured.keys() == {"codec", "width_px", "height_px", "target", "bitrate_kbps", "vmaf"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_ladders_that_ship_are_ladder_files(path: Path) -> None:
    (found,) = read_ladders(path)
    assert found.title == path.stem
    total = [rung.total_kbps for rung in found.rungs]
    assert total == sorted(total)
    share = [rung.played_share for rung in found.rungs]
    assert math.isclose(sum(share) + found.unreached_share, 1.0, abs_tol=1e-9)


def test_a_ladder_becomes_a_fixed_one_of_the_same_rungs() -> None:
    found = ladder("a")
    reference = as_reference(found, "own")
    assert (reference.name, reference.codec) == ("own", "h264")
    assert np.allclose([r.video_kbps for r in reference.rungs], [r.video.bitrate_kbps for r in found.rungs])
    assert [r.height_px for r in reference.rungs] == [180, 360]
    assert {(r.audio_codec, r.audio_kbps) for r in reference.rungs} == {("aac", 64.123456789)}


def test_a_ladder_alone_is_read_without_what_it_was_held_against(document, save) -> None:
    for name in ("num_candidates", "crossovers", "comparison"):
        del document["ladders"][0][name]
    for one in document["ladders"][0]["rungs"]:
        del one["note"]
        one["video"].pop("nearest_probes", None)
    (found,) = read_designed(save(document))
    assert (found.num_candidates, found.crossovers, found.comparison) == (0, (), None)
    assert [(one.note, one.video.nearest_probes) for one in found.ladder.rungs] == [("", ())] * 2


def test_whole_numbers_are_read_as_rates(document, save) -> None:
    rung(document)["video"]["bitrate_kbps"] = 200
    (found,) = read_ladders(save(document))
    assert repr(found.rungs[0].video.bitrate_kbps) == "200.0"


# What is no ladder file.


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(LadderFormatError, match=r"missing\.json does not exist"):
        read_ladders(tmp_path / "missing.json")


def test_a_folder_is_named(tmp_path) -> None:
    with pytest.raises(LadderFormatError, match="not a readable JSON file"):
        read_ladders(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "ladder", '{"a": 1} x', "\x00", "[" * 100_000], ids=lambda text: text[:8])
def test_text_that_is_no_json_is_refused(text: str, save) -> None:
    with pytest.raises(LadderFormatError, match=r"ladder\.json is not a readable JSON file"):
        read_ladders(save(text))


def test_bytes_that_are_no_text_are_refused(tmp_path) -> None:
    path = tmp_path / "ladder.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(LadderFormatError, match="not a readable JSON file"):
        read_ladders(path)


@pytest.mark.parametrize("other", [[], 1, None, "ladder", {}, {"command": "plan", "schema_version": 1}])
def test_json_that_is_no_ladder_file_is_refused(other, save) -> None:
    with pytest.raises(LadderFormatError, match="not a ladder file"):
        read_ladders(save(json.dumps(other)))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_with_both_versions(version, document, save) -> None:
    document["schema_version"] = version
    with pytest.raises(LadderFormatError) as refused:
        read_ladders(save(document))
    assert f"version {version!r}" in str(refused.value) and f"reads {SCHEMA_VERSION}" in str(refused.value)


def rung(document: dict) -> dict:
    return document["ladders"][0]["rungs"][0]


DAMAGE = {
    "no ladders": lambda d: d.pop("ladders"),
    "an empty list": lambda d: d.update(ladders=[]),
    "no rungs": lambda d: d["ladders"][0].update(rungs=[]),
    "a ladder that is text": lambda d: d.update(ladders=["x"]),
    "ladders that are null": lambda d: d.update(ladders=None),
    "no title": lambda d: d["ladders"][0].pop("title"),
    "a missing AVQ": lambda d: rung(d).pop("avq_mos"),
    "an AVQ that is text": lambda d: rung(d).update(avq_mos="good"),
    "an AVQ that is null": lambda d: rung(d).update(avq_mos=None),
    "an interval of one": lambda d: rung(d).update(interval_mos=[1.0]),
    "a video without size": lambda d: rung(d)["video"].pop("width_px"),
    "a video with a stranger": lambda d: rung(d)["video"].update(colour="blue"),
    "a video that is null": lambda d: rung(d).update(video=None),
    "probes that are a number": lambda d: rung(d)["video"].update(nearest_probes=5),
    "a video rate that is text": lambda d: rung(d)["video"].update(bitrate_kbps="fast"),
    "a video rate of zero": lambda d: rung(d)["video"].update(bitrate_kbps=0),
    "an audio rate that is null": lambda d: rung(d)["audio"].update(bitrate_kbps=None),
    "a size that is text": lambda d: rung(d)["video"].update(height_px="720p"),
    "a size of zero": lambda d: rung(d)["video"].update(height_px=0),
    "a VMAF over 100": lambda d: rung(d)["video"].update(vmaf=100.5),
    "a VMAF that is text": lambda d: rung(d)["video"].update(vmaf="good"),
    "a VMAF below 0 of a probe": lambda d: rung(d)["video"]["nearest_probes"][0].update(vmaf=-1.0),
    "a VMAF that is NaN of a title": lambda d: rung(d).update(
        titles=[{"title": "a", "width_px": 2, "height_px": 1, "avq_mos": 2.0, "note": "", "vmaf": math.nan}]
    ),
    "an audio quality over 5": lambda d: rung(d)["audio"].update(quality_mos=5.5),
    "a probability over 1": lambda d: rung(d).update(preference_over_below=1.5),
    "an audio with a stranger": lambda d: rung(d)["audio"].update(interpolated=True),
    "a stranger in the fixed ladder": lambda d: d["ladders"][0]["comparison"]["ladder"]["rungs"][1]["video"].update(
        x=1
    ),
    "an interval upside down": lambda d: rung(d).update(interval_mos=[3.0, 2.0]),
    "an interval far from any MOS": lambda d: rung(d).update(interval_mos=[-8.0, 2.0]),
    "rates that fall": lambda d: rung(d).update(total_kbps=1e6),
    "rates of the fixed ladder that fall": lambda d: d["ladders"][0]["comparison"]["ladder"]["rungs"].reverse(),
    "a size that is half a pixel": lambda d: rung(d)["video"].update(width_px=64.5),
    "a number that is true": lambda d: rung(d)["audio"].update(channels=True),
    "a codec without a name": lambda d: rung(d)["audio"].update(codec=""),
    "a crossover without a height": lambda d: d["ladders"][0]["crossovers"][0].update(below_px=[320]),
    "more rungs than any ladder": lambda d: d["ladders"][0]["comparison"].update(rungs_needed=1001),
    "a saving of more than all": lambda d: d["ladders"][0]["comparison"].update(bd_rate_vmaf_percent=-101.0),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_for(damage: str, document, save) -> None:
    broken = copy.deepcopy(document)
    DAMAGE[damage](broken)
    with pytest.raises(LadderFormatError, match=r"ladder\.json is damaged"):
        read_ladders(save(broken))


def test_a_refusal_names_the_field_and_what_it_must_be(document, save) -> None:
    document["ladders"][0]["rungs"][1]["avq_mos"] = 7
    path = save(document)
    with pytest.raises(LadderFormatError) as refused:
        read_ladders(path)
    assert str(refused.value) == (
        f"{path} is damaged (ladders[0].rungs[1].avq_mos: expected float <= 6.5); design it again"
    )


def test_a_digest_says_what_its_scenes_stand_for_and_is_as_long_as_they_do(document, save) -> None:
    whole = {"fps": 25.0, "scenes_s": [[0.0, 4.0], [4.0, 60.0]]}
    digest = {"fps": 25.0, "scenes_s": [[2.0, 4.0], [30.0, 32.0]], "weights_s": [20.0, 40.0]}
    document["features"] = {"titles": {"whole": whole, "digest": digest}}
    found = read_title_facts(save(document))
    assert found["whole"].weights_s == ()
    assert found["digest"].weights_s == (20.0, 40.0)
    assert found["whole"].duration_s == found["digest"].duration_s == 60.0
    for weights in ([1.0], [0.0, 1.0], [1.0, None], [1.0, math.inf]):
        document["features"]["titles"]["digest"] = digest | {"weights_s": weights}
        with pytest.raises(LadderFormatError, match=r"is damaged \(features\.titles"):
            read_title_facts(save(document))
