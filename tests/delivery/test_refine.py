"""What a second attempt asks for, worked out by hand, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import pytest

from abr_alloc.delivery.deviation import LadderDeviation, RungDeviation, Tolerance
from abr_alloc.delivery.refine import better_orders, corrected_orders

TOLERANCE = Tolerance(rate=0.05, avq=0.1)
AUDIO_KBPS = 40.0


def comparison(order, *measured: tuple[float, float | None]) -> LadderDeviation:
    """Of the rungs of `order`, as predicted; measured total rate and AVQ of each."""
    return LadderDeviation(
        rungs=tuple(
            RungDeviation(
                number=number,
                video=rung.video,
                audio=rung.audio,
                predicted_kbps=rung.total_kbps,
                measured_kbps=kbps,
                video_kbps=kbps - AUDIO_KBPS,
                audio_kbps=AUDIO_KBPS,
                peak_kbps=kbps,
                predicted_mos=rung.avq_mos,
                measured_mos=mos,
            )
            for number, (rung, (kbps, mos)) in enumerate(zip(order.rungs, measured, strict=True), start=1)
        )
    )


def asked(order, *measured, tolerance=TOLERANCE) -> dict[str, float]:
    """Corrected rates by name. Planned: 150 kbps and 3.0 (video a), 250 and 3.4, 300 and 3.6 (video b)."""
    found = corrected_orders(order, comparison(order, *measured), tolerance)
    return {one.name: one.asked_kbps for one in found}


FINE = ((150.0, 3.0), (250.0, 3.4), (300.0, 3.6))


def test_what_is_within_the_tolerance_is_left_alone(order):
    assert asked(order, *FINE) == {}
    assert asked(order, (157.0, 3.09), (238.0, 3.31), (300.0, 3.6)) == {}


def test_a_rate_too_high_or_low_is_asked_for_as_much_less_or_more(order):
    """160 are 120 of video where 110 are wanted: 100 x 110 / 120."""
    assert asked(order, (160.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(100 * 110 / 120)}
    assert asked(order, (120.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(100 * 110 / 80)}


def test_a_correction_starts_from_what_was_asked_for_last(order):
    once = order.with_video(dataclasses.replace(order.videos[0], asked_kbps=80.0))
    assert asked(once, (160.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(80 * 110 / 120)}


def test_a_rate_beyond_its_tolerance_comes_before_avq(order):
    """AVQ is far too low, but so many kbps were never promised."""
    assert asked(order, (160.0, 2.0), *FINE[1:]) == {"video/a": pytest.approx(100 * 110 / 120)}


def test_avq_too_low_moves_the_rate_up_the_ladders_slope_within_the_rates_tolerance(order):
    """Rung 1 climbs 0.4 MOS from 150 to 250 kbps. 0.02 MOS too few, with a tolerance of 0.01, are a shift of
    0.02 / slope in ln(rate), which is below the 4 % that may be used."""
    slope = 0.4 / math.log(250 / 150)
    wanted = 150 * math.exp(0.02 / slope)
    assert wanted < 150 * 1.04
    found = asked(order, (150.0, 2.98), *FINE[1:], tolerance=Tolerance(rate=0.05, avq=0.01))
    assert found == {"video/a": pytest.approx(100 * (wanted - 40) / 110)}


def test_avq_far_off_takes_no_more_than_eight_tenths_of_the_rates_tolerance(order):
    up, down = asked(order, (150.0, 2.0), *FINE[1:]), asked(order, (150.0, 4.0), *FINE[1:])
    assert up == {"video/a": pytest.approx(100 * (150 * 1.04 - 40) / 110)}
    assert down == {"video/a": pytest.approx(100 * (150 * 0.96 - 40) / 110)}


def test_a_rung_between_two_takes_the_mean_of_their_slopes(order):
    slopes = [0.4 / math.log(250 / 150), 0.2 / math.log(300 / 250)]
    wanted = 250 * math.exp(0.02 / (sum(slopes) / 2))
    found = asked(order, FINE[0], (250.0, 3.38), FINE[2], tolerance=Tolerance(rate=0.05, avq=0.01))
    assert found == {"video/b": pytest.approx(200 * (wanted - 40) / 210)}


def test_a_flat_or_falling_ladder_gives_avq_no_rate_to_ask_for(order):
    flat = dataclasses.replace(order, rungs=tuple(dataclasses.replace(r, avq_mos=3.0) for r in order.rungs))
    assert asked(flat, (150.0, 2.5), (250.0, 3.0), (300.0, 3.0)) == {}
    alone = dataclasses.replace(order, rungs=order.rungs[:1], videos=order.videos[:1], audios=order.audios[:1])
    assert asked(alone, (150.0, 2.5)) == {}


def test_a_video_of_two_rungs_is_corrected_for_the_one_that_misses_by_most(order):
    """Video b is 5.6 % above in rung 2 and 10 % above in rung 3."""
    assert asked(order, FINE[0], (264.0, 3.4), (330.0, 3.6)) == {"video/b": pytest.approx(200 * 260 / 290)}
    assert asked(order, FINE[0], (280.0, 3.4), (318.0, 3.6)) == {"video/b": pytest.approx(200 * 210 / 240)}


def test_a_change_that_is_not_worth_an_encode_is_left_out(order):
    tight = Tolerance(rate=0.0001, avq=0.1)
    assert asked(order, (150.4, 3.0), *FINE[1:], tolerance=tight) == {}  # 0.36 % of the video
    assert asked(order, (150.8, 3.0), *FINE[1:], tolerance=tight) == {"video/a": pytest.approx(100 * 110 / 110.8)}


def test_no_correction_is_larger_than_four_times(order):
    assert asked(order, (50.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(400.0)}
    assert asked(order, (1000.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(25.0)}


def test_a_rung_whose_audio_alone_is_too_dear_gets_a_quarter(order):
    cheap = dataclasses.replace(order.rungs[0], total_kbps=30.0)
    order = dataclasses.replace(order, rungs=(cheap, *order.rungs[1:]))
    assert asked(order, (60.0, 3.0), *FINE[1:]) == {"video/a": pytest.approx(25.0)}


def test_without_measured_avq_rates_alone_are_put_right(order):
    assert asked(order, (160.0, None), (250.0, None), (300.0, None)) == {"video/a": pytest.approx(100 * 110 / 120)}


def test_a_second_attempt_is_kept_where_it_misses_by_less(order):
    before = comparison(order, (170.0, 3.0), (280.0, 3.4), (330.0, 3.6))
    attempts = list(order.videos)

    def kept(*measured):
        return [one.name for one in better_orders(attempts, before, comparison(order, *measured), TOLERANCE)]

    assert kept((160.0, 3.0), (260.0, 3.4), (310.0, 3.6)) == ["video/a", "video/b"]
    assert kept((130.0, 3.0), (260.0, 3.4), (310.0, 3.6)) == ["video/b"]  # as far off as before, below
    assert kept((151.0, 2.6), (250.0, 3.4), (300.0, 3.9)) == []  # AVQ is now what is missed
    assert kept((170.0, 3.0), (250.0, 3.4), (335.0, 3.6)) == ["video/b"]  # its worst rung was 12 % off


# The command.


@pytest.fixture
def copied(delivered, film, tmp_path) -> Path:
    """A delivery that may be changed."""
    return Path(shutil.copytree(delivered, tmp_path / "out"))


@pytest.fixture
def refine(run_command, in_threads, film, film_ladder, copied):
    def run(tolerance="rate=0.1%,avq=5"):
        words = ("--ladder", film_ladder, "-o", copied, "--refine", "--tolerance", tolerance, "--jobs", "2")
        return run_command("encode", film, *words)

    return run


def rates(folder: Path) -> dict[str, float]:
    """kbps of every video, from its files."""
    return {
        f"video/{place.name}": 8 * sum(p.stat().st_size for p in place.glob("*.m4s")) / 13.013 / 1000
        for place in (folder / "video").iterdir()
    }


def test_what_is_kept_is_nearer_and_told_in_record_and_playlists(refine, copied, delivered):
    audio_kbps = {"64x36-40k": 32, "128x72-100k": 32, "128x72-160k": 64}
    outcome = refine()
    assert outcome.code == 1, "some are beyond 0.1 % even so"
    kept = set(re.findall(r"rung (\d), asked for \d+k instead of \d+k: .*?; kept", " ".join(outcome.stdout.split())))
    assert kept  # of so small pictures the container alone is beyond 0.1 %
    record = json.loads((copied / "delivery.json").read_text())
    before, after = rates(delivered), rates(copied)
    for number, (video, rung) in enumerate(zip(record["videos"], record["rungs"], strict=True), start=1):
        name = video["name"]
        assert (video["asked_kbps"] != video["planned_kbps"]) == (str(number) in kept)
        audio = 8 * sum(p.stat().st_size for p in (copied / rung["audio"]).glob("*.m4s")) / 13.013 / 1000
        wanted = rung["total_kbps"] - audio
        assert audio == pytest.approx(audio_kbps[Path(name).name], rel=0.1)
        if str(number) in kept:
            assert abs(after[name] - wanted) < abs(before[name] - wanted)
        else:
            assert after[name] == before[name]
    master = (copied / "master.m3u8").read_text()
    told = [int(rate) / 1000 for rate in re.findall(r"-STREAM-INF:BANDWIDTH.*AVERAGE-BANDWIDTH=(\d+),SCORE", master)]
    measured = [after[rung["video"]] + audio_kbps[Path(rung["video"]).name] for rung in record["rungs"]]
    assert told == pytest.approx(measured, rel=0.03)
    assert sorted(path.name for path in copied.iterdir()) == sorted(path.name for path in delivered.iterdir())


def test_where_nothing_misses_nothing_is_encoded(refine, copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    outcome = refine("rate=50%,avq=5")
    assert outcome.code == 0
    assert "Within the tolerance (rate 50 %, AVQ 5)." in outcome.stdout
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


@pytest.mark.parametrize("where", ["encode_videos", "publish", "exchange"])
def test_a_refinement_that_is_cut_off_is_gone_on_with(
    where, refine, copied, monkeypatch, run_command, film, film_ladder
):
    def stop(*_, **__):
        raise KeyboardInterrupt

    place = {
        "encode_videos": "abr_alloc.runs.encode_run.encode_videos",
        "publish": "abr_alloc.runs.encode_run.publish",
        "exchange": "abr_alloc.delivery.folder.DeliveryFolder.exchange",
    }[where]
    with monkeypatch.context() as patch:
        patch.setattr(place, stop)
        outcome = refine()
    assert outcome.code == 130
    told = outcome.stderr.splitlines()[-1]
    assert told == "error: interrupted; run the same command again to go on where it stopped"
    assert (copied / "master.m3u8").exists() == (where == "encode_videos")  # streams are still those it tells of
    outcome = run_command("encode", film, "--ladder", film_ladder, "-o", copied, "--jobs", "2")
    assert outcome.code == 0
    assert not (copied / ".abr-alloc").exists()
    record = json.loads((copied / "delivery.json").read_text())
    changed = [video["name"] for video in record["videos"] if video["asked_kbps"] != video["planned_kbps"]]
    assert bool(changed) == (where == "publish")
    assert (copied / "master.m3u8").exists()
