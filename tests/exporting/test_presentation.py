"""Peak and mean rates of a stream, against worked examples of the definition (RFC 8216, section 4.1)."""

from __future__ import annotations

import pytest

from abr_alloc.exporting.presentation import (
    AudioStream,
    Segment,
    Timeline,
    Variant,
    VideoStream,
    distinct_audio,
    distinct_video,
    peak_bits_per_s,
    sort_variants,
)


def timeline(*segments: tuple[int, int], timescale: int = 1000) -> Timeline:
    """From (milliseconds, bytes)."""
    return Timeline(
        timescale=timescale,
        segments=tuple(Segment(duration=duration, size_bytes=size) for duration, size in segments),
        init_bytes=700,
    )


@pytest.mark.parametrize(
    ("kilobits", "seconds", "target_s", "expected_kbps"),
    [
        ([600, 1200, 300], [6, 6, 6], 6, 200),  # two of them last 12 s, which is over 9
        ([60, 60, 60], [2, 2, 2], 2, 30),
        ([40, 20, 60], [2, 2, 2], 2, 30),  # 3 s is the longest run: each stands alone
        ([600, 200], [6, 1], 6, 800 / 7),  # 1 s alone is too short to count, both together last 7 s
        ([600, 900], [6, 1], 6, 1500 / 7),
        ([600, 90], [6, 3], 6, 100),  # 3 s is half the target: 30 kbps; 9 s is 1.5 times it: 76.7 kbps
        ([600, 1200], [6, 3], 6, 400),  # 3 s alone
        ([600, 1200], [6, 2.999], 6, 1800 / 8.999),  # just too short: only with its neighbour
        ([500, 60, 500], [2.5, 6, 2.5], 6, 560 / 8.5),  # 11 s would be 96 kbps, but are too long a run
        ([10, 20], [1, 1], 6, 15),  # none is long enough: all of them
        ([50], [0.5], 1, 100),
        ([10, 90, 10], [1, 1, 1], 2, 90),  # 3 s is a run: 36.7; 2 s: 50; 1 s is half the target: 90
    ],
)
def test_the_peak_is_of_runs_of_half_to_one_and_a_half_target_durations(kilobits, seconds, target_s, expected_kbps):
    sizes = [kb * 1000 / 8 for kb in kilobits]
    assert peak_bits_per_s(sizes, seconds, target_s) == pytest.approx(1000 * expected_kbps)


def test_the_mean_rate_is_all_segments_over_all_time():
    found = timeline((6000, 6000), (6000, 3000), (1000, 1000))
    assert found.duration_s == 13.0
    assert found.average_bits_per_s == pytest.approx(8 * 10_000 / 13)


def test_no_peak_is_below_the_mean():
    for sizes in ([5, 1, 1], [1, 5, 1], [1, 1, 5], [3, 3, 3]):
        found = timeline(*((2000, 1000 * size) for size in sizes))
        assert found.peak_bits_per_s >= found.average_bits_per_s * (1 - 1e-12)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [([6000, 6006], 6), ([6499], 6), ([6500], 7), ([400], 6), ([2000, 10500], 11)],
)
def test_the_target_duration_is_the_longest_to_the_nearest_second_but_at_least_six(milliseconds, expected):
    assert timeline(*((duration, 1) for duration in milliseconds)).target_duration_s == expected


def stream(kind: type, name: str, peak: float, mean: float):
    about = {"name": name, "codecs": "", "peak_bits_per_s": peak, "average_bits_per_s": mean}
    if kind is VideoStream:
        return VideoStream(**about, width_px=2, height_px=2, fps=25)
    return AudioStream(**about, channels=2, sample_rate_hz=48000, language="und", label="")


def test_a_pairs_rates_are_the_sums_of_its_streams():
    pair = Variant(
        video=stream(VideoStream, "v", 300.0, 200.0), audio=stream(AudioStream, "audio/a", 50.0, 40.0), avq_mos=3.0
    )
    assert (pair.peak_bits_per_s, pair.average_bits_per_s) == (350.0, 240.0)
    assert pair.group_id == "audio-a"


def test_pairs_are_sorted_by_mean_rate_and_streams_told_once():
    low, high = stream(VideoStream, "low", 900.0, 100.0), stream(VideoStream, "high", 300.0, 200.0)
    one, two = stream(AudioStream, "one", 20.0, 10.0), stream(AudioStream, "two", 20.0, 150.0)
    pairs = [Variant(video=v, audio=a, avq_mos=3.0) for v, a in ((high, two), (low, two), (high, one), (low, one))]
    assert [(p.video.name, p.audio.name) for p in sort_variants(pairs)] == [
        *(("low", "one"), ("high", "one"), ("low", "two"), ("high", "two"))
    ]
    assert [v.name for v in distinct_video(pairs)] == ["high", "low"]
    assert [a.name for a in distinct_audio(pairs)] == ["two", "one"]
