"""Audio features against published values, ViSQOL's own results, and signals whose answer is known beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.measure.cache import Cache
from abr_alloc.measure.extract import ExtractOptions, extract
from abr_alloc.media.audio_encoding import encode_audio
from abr_alloc.media.grid import AudioTarget, load_grid
from abr_alloc.media.packets import read_packets
from abr_alloc.media.probe import probe
from abr_alloc.media.sound import decode_audio
from abr_alloc.visqol.gammatone import NUM_BANDS, SAMPLE_RATE_HZ
from abr_alloc.visqol.score import IDENTITY_MOS, AudioReference
from abr_alloc.workers.local import LocalWorkers

CONFORMANCE = os.environ.get("ABR_ALLOC_CONFORMANCE")
L, R, M, S = range(4)
FVNSIM, FVNSIM10, FSTDNSIM, FVDEGENERGY = range(4)


def by_view(features: np.ndarray) -> np.ndarray:
    """The vector as (view, statistic, band)."""
    return features.reshape(4, 4, NUM_BANDS)


def noise(seed: int, seconds: float = 1.5, level: float = 0.1) -> np.ndarray:
    """Noise of many bands whose loudness moves, (T,)."""
    n = round(seconds * SAMPLE_RATE_HZ)
    rng = np.random.default_rng(seed)
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * (2 + seed) * np.arange(n) / SAMPLE_RATE_HZ)
    return level * envelope * rng.normal(size=n)


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.column_stack([left, right])


@pytest.fixture(scope="module")
def wide():
    """Two different sides."""
    return stereo(noise(1), noise(2))


@pytest.fixture(scope="module")
def wide_reference(wide):
    return AudioReference(wide)


@pytest.fixture(scope="module")
def worn(wide):
    """The same, with noise on the left side that grows from band to band."""
    return wide + np.column_stack([noise(5, level=0.03), np.zeros(len(wide))])


@pytest.fixture(scope="module")
def worn_score(wide_reference, worn):
    return wide_reference.score(worn)


# Published values.


def read_wave(name: str) -> np.ndarray:
    with wave.open(str(Path(CONFORMANCE) / "visqol" / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 2, 2)
        raw = file.readframes(file.getnframes())
    return np.frombuffer(raw, "<i2").reshape(-1, 2) / 32768.0


@pytest.mark.conformance
@pytest.mark.skipif(not CONFORMANCE, reason="ABR_ALLOC_CONFORMANCE names no folder with vmaf/ and visqol/")
@pytest.mark.parametrize(
    ("reference", "degraded", "published", "tolerance"),
    [
        ("guitar48_stereo", "guitar48_stereo_64kbps_aac", 4.349722, 1e-4),
        ("glock48_stereo", "glock48_stereo_48kbps_aac", 4.332453, 1e-4),
        ("contrabassoon48_stereo", "contrabassoon48_stereo_24kbps_aac", 2.346868, 2e-4),
        ("castanets48_stereo", "castanets48_stereo", 4.732101, 1e-4),
    ],
)
def test_visqol_gives_the_published_values(reference, degraded, published, tolerance):
    """The conformance values of Google's ViSQOL v3 in audio mode."""
    score = AudioReference(read_wave(reference)).score(read_wave(degraded))
    assert score.visqol_mos == pytest.approx(published, abs=tolerance)


# ViSQOL's own results.


def test_the_mid_view_is_what_visqol_measures_of_the_mono_mix(wide, worn, worn_score, visqol):
    own = visqol.measure_from_arrays(wide.mean(axis=1), worn.mean(axis=1), SAMPLE_RATE_HZ)
    mid = by_view(worn_score.features)[M]
    assert mid[FVNSIM] == pytest.approx(np.array(own.fvnsim), abs=1e-4)
    assert mid[FVNSIM10] == pytest.approx(np.array(own.fvnsim10), abs=1e-4)
    assert mid[FSTDNSIM] == pytest.approx(np.array(own.fstdnsim), abs=1e-4)
    assert mid[FVDEGENERGY] == pytest.approx(np.array(own.fvdegenergy), abs=1e-4)
    assert worn_score.visqol_mos == pytest.approx(own.moslqo, abs=1e-4)


def moved(pcm: np.ndarray, samples: int) -> np.ndarray:
    """Later by so many samples, or earlier."""
    silence = np.zeros((abs(samples), 2))
    late = np.concatenate([silence, pcm])[: len(pcm)]
    return late if samples > 0 else np.concatenate([pcm[-samples:], silence])


def without(pcm: np.ndarray, first: int, stop: int) -> np.ndarray:
    """With a gap."""
    gap = pcm.copy()
    gap[first:stop] = 0
    return gap


def coarse(pcm: np.ndarray) -> np.ndarray:
    """In 65 steps."""
    return np.round(pcm * 32) / 32


@pytest.fixture(scope="module")
def long():
    """Four and a half seconds."""
    return stereo(noise(11, seconds=4.5), noise(12, seconds=4.5))


@pytest.fixture(scope="module")
def visqol():
    """ViSQOL itself, in audio mode."""
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api


RENDITIONS = {
    "itself": lambda pcm: pcm,
    "folded to mono": lambda pcm: stereo(pcm.mean(axis=1), pcm.mean(axis=1)),
    "worn": lambda pcm: pcm + stereo(noise(8, len(pcm) / 48_000, 0.03), noise(9, len(pcm) / 48_000, 0.05)),
    "late by 20 ms": lambda pcm: moved(0.9 * pcm, 960),
    "late by 40 ms and a bit": lambda pcm: moved(0.9 * pcm + 1e-3, 1931),
    "early by 7 samples": lambda pcm: moved(0.8 * pcm**3, -7),
    "sides moved apart": lambda pcm: stereo(moved(coarse(pcm), 300)[:, 0], moved(coarse(pcm), -500)[:, 1]),
    "with a gap": lambda pcm: without(pcm, 30_000, 70_000),
    "backwards": lambda pcm: pcm[::-1],
    "coarse": coarse,
}


@pytest.mark.parametrize("name", RENDITIONS)
def test_every_view_is_what_visqol_measures(name, long, visqol):
    source = long if name.startswith("late") else long[:120_000]  # ViSQOL takes its time
    rendition = RENDITIONS[name](source)
    score = AudioReference(source).score(rendition)
    for view in (L, R, M, S):
        left, right = [1, 0, 0.5, 0.5][view], [0, 1, 0.5, -0.5][view]
        if not (rendition @ [left, right]).any():
            continue  # silence, of which ViSQOL has nothing to say
        own = visqol.measure_from_arrays(source @ [left, right], rendition @ [left, right], SAMPLE_RATE_HZ)
        expected = np.stack([own.fvnsim, own.fvnsim10, own.fstdnsim, own.fvdegenergy])
        assert by_view(score.features)[view] == pytest.approx(expected, abs=1e-4)
        if view == M:
            assert score.visqol_mos == pytest.approx(own.moslqo, abs=1e-4)


@pytest.mark.parametrize("num_samples", [46_080, 46_081, 48_000])
def test_the_shortest_scenes_are_what_visqol_measures(num_samples, long, visqol):
    scene = long[:num_samples]
    rendition = np.round(scene * 40) / 40
    own = visqol.measure_from_arrays(scene[:, 0], rendition[:, 0], SAMPLE_RATE_HZ)
    expected = np.stack([own.fvnsim, own.fvnsim10, own.fstdnsim, own.fvdegenergy])
    found = by_view(AudioReference(scene).score(rendition).features)[L]
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_views_of_mono_are_one(long):
    mono = stereo(long[:, 0], long[:, 0])
    worn = mono + noise(8, len(mono) / 48_000, 0.03)[:, None]
    score = AudioReference(mono).score(worn)
    views = by_view(score.features)
    assert np.array_equal(views[L], views[R]) and np.array_equal(views[L], views[M])
    alone = by_view(AudioReference(stereo(long[:, 0], long[:, 1])).score(stereo(worn[:, 0], long[:, 1])).features)
    assert np.array_equal(views[L], alone[L])


def test_asking_for_the_versions_needs_neither_a_compiler_nor_visqol():
    code = "import sys, abr_alloc.visqol.score as a; a.visqol_version(); print({'numba', 'visqol'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Signals whose answer is known.


def test_a_signal_against_itself_has_nsim_one_in_every_view(wide, wide_reference):
    score = wide_reference.score(wide)
    assert by_view(score.features)[:, FVNSIM] == pytest.approx(1, abs=1e-4)
    assert by_view(score.features)[:, FVNSIM10] == pytest.approx(1, abs=1e-4)
    assert by_view(score.features)[:, FSTDNSIM] == pytest.approx(0, abs=1e-4)
    assert score.visqol_mos == pytest.approx(IDENTITY_MOS, abs=1e-4)
    assert score.audio_mos == pytest.approx(IDENTITY_MOS, abs=1e-4)


def test_the_vector_holds_512_finite_numbers(worn_score):
    assert worn_score.features.shape == (512,)
    assert worn_score.features.dtype == np.float32
    assert np.isfinite(worn_score.features).all()


def test_views_stand_in_the_order_left_right_mid_side(worn_score):
    """Only the left side is worn: the right view alone is untouched."""
    nsim = by_view(worn_score.features)[:, FVNSIM].mean(axis=1)
    assert nsim[R] == pytest.approx(1, abs=1e-4)
    assert max(nsim[L], nsim[M], nsim[S]) < 0.99
    assert nsim[M] == pytest.approx(nsim[S], abs=0.1)  # both hold half of the left side


def test_bands_rise_in_frequency():
    """A tone far up puts its energy into the upper bands of every view that holds it."""
    t = np.arange(round(1.2 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    energies = []
    for hertz in (150, 1000, 6000):
        tone = 0.3 * np.sin(2 * np.pi * hertz * t)
        score = AudioReference(stereo(tone, tone)).score(stereo(tone, tone))
        energies.append(int(by_view(score.features)[M, FVDEGENERGY].argmax()))
    assert energies == sorted(energies) and len(set(energies)) == 3


def test_a_second_comparison_is_not_changed_by_the_first(wide, worn, wide_reference, worn_score):
    again = wide_reference.score(worn)
    fresh = AudioReference(wide).score(worn)
    for other in (again, fresh):
        assert np.array_equal(other.features, worn_score.features)
        assert (other.visqol_mos, other.audio_mos) == (worn_score.visqol_mos, worn_score.audio_mos)


def test_more_noise_scores_lower(wide, wide_reference, worn_score):
    worse = wide_reference.score(wide + stereo(noise(6, level=0.2), noise(7, level=0.2)))
    assert worse.audio_mos < worn_score.audio_mos < IDENTITY_MOS
    assert worse.visqol_mos < worn_score.visqol_mos


# Silence.


def test_the_side_of_mono_is_silent_and_counts_as_kept():
    mono = noise(3)
    score = AudioReference(stereo(mono, mono)).score(stereo(mono, mono) * 0.999)
    side = by_view(score.features)[S]
    assert (side[FVNSIM] == 1).all() and (side[FVNSIM10] == 1).all()
    assert (side[FSTDNSIM] == 0).all() and (side[FVDEGENERGY] == 0).all()
    assert score.audio_mos == pytest.approx(IDENTITY_MOS, abs=1e-3)


def test_a_side_that_is_lost_scores_zero_though_the_mono_mix_is_kept(wide, wide_reference):
    mid = wide.mean(axis=1)
    score = wide_reference.score(stereo(mid, mid))
    assert (by_view(score.features)[S] == 0).all()
    assert score.visqol_mos == pytest.approx(IDENTITY_MOS, abs=1e-3)
    assert score.audio_mos < 4


def test_all_is_lost_where_the_rendition_is_silent(wide, wide_reference):
    score = wide_reference.score(np.zeros_like(wide))
    assert (score.features == 0).all()
    assert score.visqol_mos == score.audio_mos == 1.0


@pytest.mark.parametrize("level", [0, 1 / 32768])
def test_all_is_kept_where_the_source_is_silent(level, wide):
    """One step of 16-bit audio is dither, not sound."""
    quiet = np.zeros_like(wide)
    quiet[::100] = level
    for rendition in (quiet, wide):
        score = AudioReference(quiet).score(rendition)
        assert (by_view(score.features)[:, :2] == 1).all() and (by_view(score.features)[:, 2:] == 0).all()
        assert score.visqol_mos == score.audio_mos == IDENTITY_MOS


def test_silent_views_carry_no_weight(wide):
    """Only the left side sounds: L, M and S are worn alike, the silent right view does not lift the mean."""
    left_only = stereo(wide[:, 0], np.zeros(len(wide)))
    worn = left_only + stereo(noise(5, level=0.1), np.zeros(len(wide)))
    score = AudioReference(left_only).score(worn)
    assert score.audio_mos == pytest.approx(score.visqol_mos, abs=0.02)


# Rates.


def test_bits_of_scenes_add_up_to_the_audio_stream(ffmpeg, make_media, in_threads, tmp_path):
    source = make_media(
        *("noise.wav", "lavfi:anoisesrc=r=48000:d=3.5:a=0.3:seed=4"),
        *("-af", "volume='if(lt(t,1.2),0.01,1)':eval=frame", "-ac", "2"),
    )
    grid = tmp_path / "grid.toml"
    grid.write_text('[video.crf]\nh264 = [30]\n[audio]\naac = ["48k"]\n')
    options = ExtractOptions(grid=load_grid(str(grid)), audio_only=True, max_scene_s=1.2)
    with LocalWorkers(1) as workers:
        *_, table = extract([source], ffmpeg, Cache(tmp_path / "cache"), options, workers)
    assert len(table.frame) == 3
    bits = float((table.frame["bitrate_kbps"] * 1000 * (table.frame["end_s"] - table.frame["start_s"])).sum())

    pcm, encode = tmp_path / "audio.f32", tmp_path / "audio.mp4"
    decode_audio(probe(source, ffmpeg), 3.5, pcm)
    encode_audio(ffmpeg, pcm, AudioTarget(codec="aac", channels=2, target="b=48k"), encode)
    sizes = read_packets(encode).size_bytes
    assert abs(bits - sizes.sum() * 8) <= sizes.max() * 8
