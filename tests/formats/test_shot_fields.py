"""Ladder files whose rungs have shots: written, read back, and refused where they are damaged."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.rendition import AudioRendition, Shot, VideoRendition
from abr_alloc.allocation.rung import Ladder, ShotProof, make_ladder
from abr_alloc.allocation.shot_gain import LimitCost, ShotGain
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_file import ladder_document, read_designed
from abr_alloc.formats.result_rows import ladder_frame

ENDS_S = (0.0, 4.0, 10.0)
FACTS = {"titles": {"t": {"fps": 25.0, "scenes_s": [[0.0, 3.2], [3.2, 4.0], [4.0, 10.0]]}}}


def video(height: int, rates: tuple[float, float], targets: tuple[str, str]) -> VideoRendition:
    shots = tuple(
        Shot(
            start_s=start,
            end_s=end,
            width_px=2 * height,
            height_px=height,
            target=target,
            bitrate_kbps=kbps,
            vmaf=80.0,
        )
        for start, end, kbps, target in zip(ENDS_S, ENDS_S[1:], rates, targets, strict=False)
    )
    mean = (4.0 * rates[0] + 6.0 * rates[1]) / 10.0
    return VideoRendition(
        codec="h264",
        width_px=2 * height,
        height_px=height,
        target=f"b={mean:g}k",
        bitrate_kbps=mean,
        vmaf=80.0,
        shots=shots,
    )


def ladder(*, per_shot: bool = True) -> Ladder:
    aac = AudioRendition(codec="aac", channels=2, target="b=64k", bitrate_kbps=64.5)
    videos = [
        video(180, (100.0, 1 / 3 * 1000), ("crf=30.25", "crf=28")),
        video(360, (500.0, 900.0), ("crf=26", "b=9k")),
    ]
    if not per_shot:
        videos = [replace(v, shots=()) for v in videos]
    rungs = [(v, aac, 1.02 * (v.bitrate_kbps + 64.5), 3.0 + i, "") for i, v in enumerate(videos)]
    found = make_ladder("t", rungs, lognormal(800, 0.9), (-0.3, 0.2))
    if not per_shot:
        return found
    proof = ShotProof(pool="min", objective_mos=2.75, upper_bound_mos=2.8, price_mos_per_kbps=0.001, peak_kbps=1000 / 3)
    return replace(
        found, rungs=tuple(replace(r, shots_mos=(2.75, 3.1 + i), shot_proof=proof) for i, r in enumerate(found.rungs))
    )


def designed() -> TitleLadder:
    gain = ShotGain(
        num_shots=2,
        ladder=ladder(per_shot=False),
        gain_mos=0.01,
        bd_rate_percent=-12.5,
        plain_worst_mos=2.5,
        worst_mos=2.75,
        limits=(LimitCost(limit="peak_kbps", loss_mos=0.001, bd_rate_percent=None),),
    )
    return TitleLadder(ladder=ladder(), num_candidates=9, shot_gain=gain)


@pytest.fixture(scope="module")
def document() -> dict:
    return json.loads(json.dumps(ladder_document([designed()], {"features": FACTS}), allow_nan=False))


def write(path: Path, content: dict) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_shots_proofs_and_gains_are_read_back(document, tmp_path) -> None:
    assert read_designed(write(tmp_path / "l.json", document)) == [designed()]
    assert document["ladders"][0]["shot_gain"]["pays"] is True


def test_rows_say_how_many_shots_a_rung_has_and_what_the_worst_comes_to() -> None:
    frame = ladder_frame([designed()])
    assert frame["num_shots"].tolist() == [2, 2] and frame["worst_mos"].tolist() == [2.75, 2.75]
    assert frame["peak_kbps"].tolist() == pytest.approx([1000 / 3] * 2)
    assert frame["gap_mos"].tolist() == pytest.approx([0.05] * 2) and frame["interpolated"].all()
    plain = ladder_frame([TitleLadder(ladder=ladder(per_shot=False))])
    assert plain["num_shots"].tolist() == [0, 0] and plain[["worst_mos", "peak_kbps", "gap_mos"]].isna().all(axis=None)


def set_shot(name, value, number=1):
    return lambda rung: rung["video"]["shots"][number].__setitem__(name, value)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (set_shot("start_s", 4.5), r"rungs\[1\].video.shots\[1\] starts at 4.5 s, and the one before ends at 4 s"),
        (set_shot("end_s", 3.0), r"shots\[1\] ends at 3 s and starts at 4 s"),
        (set_shot("end_s", 12.0), r"(mean of its shots|lowest rung)"),
        (set_shot("width_px", 1920), r"shots\[1\] is 1920x360, larger than its video, 720x360"),
        (set_shot("target", "as it was"), r"shots\[1\].target is 'as it was', which no encoder"),
        (set_shot("target", "crf=23@film"), r"of another encoder"),
        (set_shot("target", 23), r"shots\[1\].target"),
        (set_shot("bitrate_kbps", 100.0), r"bitrate_kbps is 740, and the mean of its shots is 260"),
        (set_shot("bitrate_kbps", -1.0), r"shots\[1\].bitrate_kbps"),
        (set_shot("speed", 2.0), r"shots\[1\]: 'speed' is no field"),
        (lambda rung: rung["video"]["shots"].pop(), r"rungs\[1\] has 2 shots_mos for 1 shots"),
        (lambda rung: rung["video"].__setitem__("shots", []), r"rungs\[1\].video has no shots, and others have"),
        (lambda rung: rung["shots_mos"].append(3.0), r"rungs\[1\] has 3 shots_mos for 2 shots"),
        (lambda rung: rung["shots_mos"].__setitem__(0, 99.0), r"shots_mos\[0\]"),
        (lambda rung: rung.pop("shot_proof"), r"rungs\[1\] has no shot_proof, and 2 shots"),
        (lambda rung: rung["shot_proof"].__setitem__("gap", 1.0), r"shot_proof: 'gap' is no field"),
        (lambda rung: rung["shot_proof"].pop("pool"), r"shot_proof"),
    ],
)
def test_a_damaged_shot_is_refused_in_a_line_that_says_where(damage, named, document, tmp_path) -> None:
    broken = copy.deepcopy(document)
    damage(broken["ladders"][0]["rungs"][1])
    with pytest.raises(LadderFormatError, match=named) as raised:
        read_designed(write(tmp_path / "l.json", broken))
    assert (
        "\n" not in str(raised.value) and "ladders[0]" in str(raised.value) and "design it again" in str(raised.value)
    )


def test_shots_are_all_of_the_title_and_the_same_in_every_rung(document, tmp_path) -> None:
    longer = copy.deepcopy(document)
    longer["features"]["titles"]["t"]["scenes_s"][-1][1] = 12.0
    with pytest.raises(LadderFormatError, match="last from 0 to 10 s, and its title from 0 to 12 s"):
        read_designed(write(tmp_path / "l.json", longer))
    moved = copy.deepcopy(document)
    shots = moved["ladders"][0]["rungs"][1]["video"]["shots"]
    shots[0]["end_s"] = shots[1]["start_s"] = 4.004
    with pytest.raises(LadderFormatError, match="lowest rung"):
        read_designed(write(tmp_path / "l.json", moved))
