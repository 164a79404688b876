"""Sound lies where its times say, sample by sample, whatever the container, the codec and what changes on the way."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.probe import probe
from abr_alloc.media.sound import decode_audio, survey_audio

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
PICTURE = "lavfi:testsrc2=size=96x64:rate=25:duration=3"
STEREO = "lavfi:aevalsrc=0.3*sin(880*t)|0.2*sin(500*t):s=48000:d=3"


@pytest.fixture
def heard(ffmpeg, tmp_path):
    """Samples (T, 2) of a source and what is said of them: `heard(path, seconds)`."""

    def run(path, duration_s, **options):
        facts = decode_audio(probe(path, ffmpeg), duration_s, tmp_path / "out.f32", **options)
        samples = np.fromfile(tmp_path / "out.f32", "<f4").reshape(-1, 2)
        assert len(samples) == round(duration_s * SAMPLE_RATE_HZ)
        return samples, facts

    return run


def level(samples) -> list[float]:
    return np.sqrt(np.square(samples, dtype=np.float64).mean(axis=0)).tolist()


def joined(make_media, name, parts):
    """Transport streams end to end, their times going on, as a broadcast that changes."""
    path = make_media(f"part-{name}.ts", *parts[0]).with_name(name)
    later = [make_media(f"part{n}-{name}.ts", *part, "-output_ts_offset", str(3 * n)) for n, part in enumerate(parts)][
        1:
    ]
    path.write_bytes(b"".join(p.read_bytes() for p in (path.with_name(f"part-{name}.ts"), *later)))
    return path


CENTRE = "lavfi:aevalsrc=0|0|0.5*sin(2*PI*440*t)|0|0|0:s=48000:d=2:c=5.1"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "aac"), ("mkv", "pcm_s16le"), ("mkv", "pcm_f32le"), ("mkv", "ac3"), ("mkv", "flac"), ("mkv", "eac3")],
)
def test_a_centre_is_3_db_lower_on_both_sides_whatever_the_codec(make_media, heard, suffix, codec) -> None:
    rates = ("-b:a", "384k") if codec in ("aac", "ac3", "eac3") else ()
    samples, _ = heard(make_media(f"centre-{codec}.{suffix}", CENTRE, "-c:a", codec, *rates), 1.9)
    # 0.5 of full scale, at -3.01 dB, and an effective value of 1/sqrt(2) of that: 0.25.
    assert level(samples[4800:-4800]) == pytest.approx([0.25, 0.25], rel=0.01)


def test_loud_floats_stay_as_they_are_and_are_counted(make_media, heard) -> None:
    samples, facts = heard(
        make_media("loud.mkv", "lavfi:aevalsrc=2*sin(2*PI*440*t)|0.5*sin(2*PI*440*t):s=48000:d=2", "-c:a", "pcm_f32le"),
        2.0,
    )
    assert np.abs(samples).max(axis=0) == pytest.approx([2.0, 0.5], rel=0.001)
    assert facts.peak == pytest.approx(2.0, rel=0.001)
    # A sine of twice full scale is beyond it for two thirds of its time.
    assert facts.num_clipped == pytest.approx(2 / 3 * 2 * SAMPLE_RATE_HZ, rel=0.01)


@pytest.mark.parametrize(
    ("name", "first", "then"), [("mono", STEREO, "0.3*sin(880*t)"), ("stereo", None, "0.3*sin(880*t)|0.2*sin(500*t)")]
)
def test_sound_that_changes_its_channels_stays_in_its_place(make_media, heard, name, first, then) -> None:
    codec = ("-c:a", "aac") if first else ("-c:a", "ac3")
    surround = "lavfi:aevalsrc=0.3*sin(880*t)|0.2*sin(500*t)|0.1*sin(300*t)|0|0|0:s=48000:d=3:c=5.1"
    parts = [
        (PICTURE, first or surround, *H264, *codec),
        (PICTURE, f"lavfi:aevalsrc={then}:s=48000:d=3", *H264, *codec),
    ]
    samples, facts = heard(joined(make_media, f"change-{name}.ts", parts), 5.9)
    assert len(facts.changes) == 2
    assert facts.changes[1][0] == pytest.approx(3.0, abs=0.05)
    halves = [samples[24_000:120_000], samples[168_000:270_000]]
    left, right = 0.3 * 0.5**0.5, 0.2 * 0.5**0.5
    if first:
        assert level(halves[0]) == pytest.approx([left, right], rel=0.03)
        assert level(halves[1]) == pytest.approx([left, left], rel=0.03)
    else:
        centre = 0.1 * 0.5  # -3 dB, effective
        assert level(halves[0]) == pytest.approx([np.hypot(left, centre), np.hypot(right, centre)], rel=0.03)
        assert level(halves[1]) == pytest.approx([left, right], rel=0.03)
    blocks = samples[:270_000].reshape(-1, 4500, 2)
    assert np.abs(blocks[1:]).max(axis=1).min() > 0.1  # no silence anywhere


def test_what_is_lost_in_the_middle_is_silence_and_what_follows_keeps_its_place(make_media, heard) -> None:
    """A burst every half second; the packets of a second between are cut out."""
    bursts = "lavfi:aevalsrc=0.5*lt(mod(t\\,0.5)\\,0.01)*sin(2*PI*1000*t):s=48000:d=6"
    whole = make_media("bursts.ts", bursts, "-c:a", "mp2", "-b:a", "192k")
    data = whole.read_bytes()
    cut = whole.with_name("bursts-cut.ts")
    first, last = (len(data) // 188 * n // 12 * 188 for n in (5, 7))
    cut.write_bytes(data[:first] + data[last:])
    samples, facts = heard(cut, 5.9)
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.1)
    onsets_s = loud[np.diff(loud, prepend=-48_000) > 4800] / SAMPLE_RATE_HZ
    nearest = np.round(onsets_s * 2) / 2
    assert onsets_s == pytest.approx(nearest, abs=0.012)  # the coder's own delay is 10 ms
    assert {0.0, 0.5, 1.0, 1.5, 4.0, 4.5, 5.0, 5.5} <= set(nearest) < {n / 2 for n in range(12)}
    assert sum(length for _, length in facts.gaps_s) == pytest.approx(1.0, abs=0.15)
    assert facts.num_samples / SAMPLE_RATE_HZ == pytest.approx(5.0, abs=0.15)


def test_packets_that_cannot_be_decoded_are_counted(make_media, ffmpeg) -> None:
    data = bytearray(make_media("sound.ts", PICTURE, STEREO, *H264, "-c:a", "aac").read_bytes())
    path = make_media("sound.ts", PICTURE, STEREO, *H264, "-c:a", "aac").with_name("sound-damaged.ts")
    noise = np.random.default_rng(0)
    for packet in range(len(data) // 188 // 3, len(data) // 188 // 2):
        data[packet * 188 + 12 : packet * 188 + 180] = noise.bytes(168)
    path.write_bytes(data)
    facts = survey_audio(probe(path, ffmpeg), 3.0)
    assert facts.num_errors > 0
    assert facts.num_samples < 2.95 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("suffix", ["mov", "mxf"])
def test_two_mono_tracks_are_left_and_right(make_media, heard, suffix) -> None:
    video = ("-c:v", "mpeg2video") if suffix == "mxf" else H264
    left, right = (f"lavfi:aevalsrc={gain}*sin(2*PI*440*t):s=48000:d=3" for gain in (0.5, 0.25))
    maps = ("-map", "0", "-map", "1", "-map", "2")
    path = make_media(f"two-mono.{suffix}", PICTURE, left, right, *maps, *video, "-c:a", "pcm_s16le")
    samples, _ = heard(path, 3.0)
    assert level(samples) == pytest.approx([0.5 * 0.5**0.5, 0.25 * 0.5**0.5], rel=0.01)
    within, _ = heard(path, 0.5, start_s=2.2)
    assert within == pytest.approx(samples[round(2.2 * 48_000) : round(2.7 * 48_000)], abs=1e-6)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv", "flv", "nut"])
def test_a_stretch_from_within_is_what_lies_there(make_media, heard, suffix) -> None:
    noise = "lavfi:anoisesrc=r=48000:d=8:a=0.3:seed=3"
    long = make_media(f"long.{suffix}", "lavfi:testsrc2=size=96x64:rate=25:duration=8", noise, *H264, "-c:a", "aac")
    whole, _ = heard(long, 7.9)
    for start_s in (0.5, 3.3, 6.0):
        part, _ = heard(long, 1.0, start_s=start_s)
        first = round(start_s * SAMPLE_RATE_HZ)
        there = whole[first - 480 : first + SAMPLE_RATE_HZ + 480, 0]
        lag = int(np.correlate(there, part[:, 0], "valid").argmax()) - 480
        assert abs(lag) <= 48, start_s  # these containers tell times in milliseconds
        assert level(part) == pytest.approx(level(whole[first : first + SAMPLE_RATE_HZ]), rel=0.02), start_s
        again, _ = heard(long, 1.0, start_s=start_s, from_beginning=True)
        assert np.array_equal(again, whole[first : first + SAMPLE_RATE_HZ]), start_s


def test_channels_of_which_no_mix_is_known_are_refused_by_number(make_media, heard) -> None:
    many = "lavfi:aevalsrc=" + "|".join(["0.1"] * 24) + ":s=48000:d=1:c=22.2"
    with pytest.raises(UnsupportedMediaError, match=r"24 audio channels"):
        heard(make_media("many.wav", many, "-c:a", "pcm_s16le"), 1.0)
