"""Names of renditions and planned rates."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from abr_alloc.allocation.rendition import Shot
from abr_alloc.allocation.rung import ShotProof
from abr_alloc.errors import ExportError, LadderFormatError
from abr_alloc.exporting.planned import planned_variants, printable, rendition_names, require_codecs
from abr_alloc.runs.export_run import export_plan


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "video/640x360-900k"),
        ({"codec": "hevc"}, "video/hevc-640x360-900k"),
        ({"target": "crf=26", "bitrate_kbps": 712.6}, "video/640x360-713k"),
    ],
)
def test_a_video_rendition_is_named_by_size_and_rate(changed, name, rung):
    only = rung(video=changed)
    assert rendition_names([only])[only.video] == name


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "audio/aac-96k"),
        ({"channels": 1, "target": "b=64k"}, "audio/aac-64k-mono"),
        ({"codec": "eac3", "channels": 6, "target": "b=384000"}, "audio/eac3-384k-6ch"),
        ({"target": "q=2"}, "audio/aac-97k"),
        ({"target": "b=96k@fdk_1"}, "audio/aac-fdk-1-96k"),
        ({"codec": "opus", "target": "b=32k@opus-voice", "channels": 1}, "audio/opus-voice-32k-mono"),
        ({"codec": "flac", "target": "lossless", "bitrate_kbps": 812.0}, "audio/flac"),
    ],
)
def test_an_audio_rendition_is_named_by_what_its_encoder_is_asked_for(changed, name, rung):
    only = rung(audio=changed)
    assert rendition_names([only])[only.audio] == name


def test_distinct_renditions_never_share_a_folder(rung):
    rungs = [rung(), rung(video={"bitrate_kbps": 900.2}, audio={"bitrate_kbps": 96.1}), rung(video={"codec": "av1"})]
    names = rendition_names(rungs)
    assert len(names) == 5  # three videos, two audios
    assert len(set(names.values())) == 5
    assert names[rungs[1].audio] == "audio/aac-96k-2"


@pytest.mark.parametrize(
    "changed",
    [
        {"video": {"codec": "../h264"}},
        {"audio": {"codec": "aac\n"}},
        {"audio": {"target": "b=96k;rm"}},
        {"audio": {"channels": 0}},
    ],
)
def test_nothing_unknown_gets_into_a_path(changed, rung):
    with pytest.raises(LadderFormatError):
        rendition_names([rung(**changed)])


# Rates and codec strings.


def test_planned_averages_add_up_to_the_total_rate_of_the_rung(rung, plan):
    only = rung()
    (variant,) = planned_variants(plan(only))
    assert variant.average_bits_per_s == pytest.approx(1000 * only.total_kbps, rel=1e-4)
    assert variant.peak_bits_per_s == pytest.approx(1020 * (1.5 * 900 + 97.35))


def test_a_rung_becomes_a_variant_of_its_own_pair(rung, plan):
    rungs = [rung(), rung(video={"bitrate_kbps": 1200.0}), rung(audio={"target": "b=64k", "bitrate_kbps": 64.0})]
    found = [(v.video.name, v.audio.name) for v in planned_variants(plan(*rungs))]
    assert found == [
        ("video/640x360-900k", "audio/aac-96k"),
        ("video/640x360-1200k", "audio/aac-96k"),
        ("video/640x360-900k", "audio/aac-64k"),
    ]


def test_every_audio_group_has_a_member_of_the_same_name(rung, plan):
    """RFC 8216, 4.3.4.1.1: members of groups of one type differ by URI and CHANNELS only."""
    variants = planned_variants(plan(rung(), rung(audio={"target": "b=64k"})))
    assert len({(v.audio.label, v.audio.language) for v in variants}) == 1


@pytest.mark.parametrize(
    ("fps", "frames", "seconds"),
    [(Fraction(24), 48, 6), (Fraction(30000, 1001), 60, Fraction(6006, 1000)), (Fraction(25, 2), 25, 6)],
)
def test_segments_are_three_whole_groups_of_pictures(fps, frames, seconds, rung, plan):
    found = plan(rung(), fps=fps)
    assert (found.gop_frames, found.segment_s) == (frames, seconds)


@pytest.mark.parametrize("title", ["a\nb", "a\r\nb", "a\u2028b", "a\x00b", "a\ud800b", " a \t b "])
def test_a_printable_title_is_one_line_that_can_be_written(title):
    assert printable(title) == "a b"
    printable(title).encode()


def test_a_codec_that_a_format_does_not_take_is_named(rung):
    with pytest.raises(ExportError, match=r"the script takes audio in aac, not opus; .*`audio_codecs` aac"):
        require_codecs([rung(audio={"codec": "opus"})], "the script", ("h264",), ("aac",))


def per_shot(rung, peak_kbps=None, sizes=((640, 360), (640, 360))):
    """A rung of two scenes of 5 and 7 s."""
    shots = tuple(
        Shot(start_s=start, end_s=end, width_px=w, height_px=h, target="crf=24", bitrate_kbps=kbps)
        for (start, end, kbps), (w, h) in zip(((0.0, 5.0, 600.0), (5.0, 12.0, 1114.3)), sizes, strict=True)
    )
    proof = ShotProof(pool="mean", objective_mos=3.5, upper_bound_mos=3.5, price_mos_per_kbps=0.0, peak_kbps=peak_kbps)
    return replace(rung(video={"shots": shots}), shots_mos=(3.5, 3.5), shot_proof=proof)


def test_a_ladder_per_shot_peaks_as_predicted_or_above_its_dearest_scene(rung, plan):
    (told,), (not_told,) = (planned_variants(plan(per_shot(rung, kbps))) for kbps in (1200.0, None))
    assert told.video.peak_bits_per_s == pytest.approx(1200.0 * 1020)
    assert not_told.video.peak_bits_per_s == pytest.approx(1.5 * 1114.3 * 1020)
    assert told.video.average_bits_per_s == pytest.approx(900.0 * 1020)


def test_segments_of_a_ladder_per_shot_begin_at_scenes(rung, plan):
    (variant,) = planned_variants(plan(per_shot(rung)))
    assert variant.video.timeline.duration_s == 12.0
    assert 5.0 in list(itertools.accumulate(variant.video.timeline.durations_s))
    assert max(variant.video.timeline.durations_s) <= 6.5


@pytest.mark.parametrize("sizes", [((640, 360), (640, 360)), ((640, 360), (320, 180))])
def test_pictures_that_change_their_size_say_so(sizes, rung, plan):
    """All of a ladder alike: players switch between streams of one sample entry."""
    variants = planned_variants(
        plan(per_shot(rung, sizes=sizes), rung(video={"target": "b=400k", "bitrate_kbps": 400.0}))
    )
    entries = {variant.video.codecs.partition(".")[0] for variant in variants}
    assert entries == {"avc1" if sizes[0] == sizes[1] else "avc3"}


@pytest.mark.parametrize("form", ["mediaconvert", "shaka-streamer"])
def test_formats_of_one_rate_per_title_refuse_a_ladder_per_shot_in_a_line(form, rung, plan):
    with pytest.raises(
        ExportError, match=rf"^{form} asks one rate of a whole title.*'a title'.*abr-alloc encode"
    ) as said:
        export_plan(plan(per_shot(rung)), form)
    assert "\n" not in str(said.value)


def test_a_manifest_of_a_ladder_per_shot_tells_every_segment(rung, plan):
    text = str(export_plan(plan(per_shot(rung)), "dash"))
    assert text.count("SegmentTimeline>") == 4 and text.count('timescale="24"') == 2, (
        "of audio, which is cut beside, too"
    )
