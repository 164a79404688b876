"""What the listener says of sounds whose answer is known beforehand, and of bad input."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.errors import ArgumentError, CheckpointError
from abr_alloc.listener import hearing
from abr_alloc.listener.hearing import IDENTITY_MOS, WORST_MOS, ListenerReference
from abr_alloc.visqol.gammatone import SAMPLE_RATE_HZ


def speech_like(seed: int, seconds: float = 6.0) -> np.ndarray:
    """A voiced sound with syllables, consonants and a little room, (T, 2)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = (110 + 40 * seed) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * t + seed))
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ
    syllables = np.clip(np.sin(2 * np.pi * (3 + 0.3 * seed) * t + rng.uniform(0, 6)), 0, 1)
    voice = sum(np.sin(k * phase) / k for k in range(1, 60)) * syllables
    hiss = rng.normal(0, 0.3, len(t)) * np.clip(-np.sin(2 * np.pi * 3.3 * t), 0, 1) ** 4
    room = 0.02 * rng.normal(size=(len(t), 2))
    return 0.1 * ((voice + hiss)[:, None] + room)


def low_passed(pcm: np.ndarray, hz: float) -> np.ndarray:
    half = np.fft.rfft(pcm, axis=0)
    half[np.fft.rfftfreq(len(pcm), 1 / SAMPLE_RATE_HZ) > hz] = 0
    return np.fft.irfft(half, len(pcm), axis=0)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return speech_like(1)


@pytest.fixture(scope="module")
def reference(sound) -> ListenerReference:
    return ListenerReference(sound)


def test_a_sound_beside_itself_has_lost_nothing(reference, sound):
    for same in (sound, 0.25 * sound, -sound, sound.astype(np.float32)):
        score = reference.score(same)
        assert score.mos == IDENTITY_MOS and not score.features.any()


def test_left_and_right_may_be_exchanged(sound):
    worse = low_passed(sound, 5000) * np.array([1, 0.7])
    ours = ListenerReference(sound).score(worse)
    theirs = ListenerReference(sound[:, ::-1]).score(worse[:, ::-1])
    assert ours.mos == pytest.approx(theirs.mos, abs=0.25)


@pytest.mark.parametrize("lag", [48, -1000, 3 * SAMPLE_RATE_HZ, -3 * SAMPLE_RATE_HZ + 7])
def test_an_offset_is_found(reference, sound, lag):
    silence = np.zeros((abs(lag), 2))
    late = np.concatenate([silence, sound]) if lag > 0 else np.concatenate([sound[-lag:], silence])
    assert reference.score(late).mos == IDENTITY_MOS


def test_more_of_a_low_pass_is_worse(reference, sound):
    mos = [reference.score(low_passed(sound, hz)).mos for hz in (1500, 3500, 7000, 12000)]
    assert (np.diff(mos) > 0).all() and mos[0] < 3.8


def test_noise_and_clipping_are_heard(reference, sound):
    rng = np.random.default_rng(0)
    noisy = [sound + rng.normal(0, level, sound.shape) for level in (0.1, 0.01)]
    clipped = [np.clip(sound, -level, level) for level in (0.02, 0.1)]
    for worse, better in (noisy, clipped):
        assert WORST_MOS < reference.score(worse).mos < reference.score(better).mos < IDENTITY_MOS


def test_another_content_is_bad(reference, sound):
    assert reference.score(speech_like(4)).mos < 3.0
    assert reference.score(np.random.default_rng(0).normal(0, 0.1, sound.shape)).mos < 2.5


def test_silence(reference, sound):
    nothing = np.zeros_like(sound)
    assert reference.score(nothing).mos == WORST_MOS
    assert reference.score(nothing).features.any()
    quiet = ListenerReference(nothing)
    assert quiet.score(nothing).mos == quiet.score(nothing + 1e-5).mos == IDENTITY_MOS
    assert quiet.score(sound).mos == WORST_MOS


def test_empty_bands_of_the_source_are_no_fault(sound):
    """A recording of 8 kHz, at 48: what its encode has or lacks above 4 kHz nobody can miss."""
    narrow = low_passed(sound, 4000)
    reference = ListenerReference(narrow)
    assert reference.score(low_passed(narrow, 5000)).mos > 4.5
    assert reference.score(low_passed(narrow, 2000)).mos < reference.score(low_passed(narrow, 3500)).mos


def test_lengths_may_differ(reference, sound):
    assert reference.score(np.concatenate([sound, sound])).mos == IDENTITY_MOS
    half = reference.score(sound[: len(sound) // 2])
    assert half.mos < 3.0  # silent from there on
    third = sound.copy()
    third[len(sound) // 3 : len(sound) // 2] = 0
    assert half.mos < reference.score(third).mos < 4.3
    assert reference.score(sound[:-100]).mos > 4.5
    assert reference.score(sound[:0]).mos == WORST_MOS


@pytest.mark.parametrize("part", ["beginning", "end", "hiss"])
def test_what_is_lost_is_heard_wherever_it_was(reference, sound, part):
    """A hiss in the place of a sound is no sound, and a file that begins late has lost its beginning."""
    half = len(sound) // 2
    hiss = np.random.default_rng(0).normal(0, 3e-4, (half, 2))
    cut = {"beginning": sound[half:], "end": sound[:half], "hiss": np.concatenate([sound[:half], hiss])}[part]
    assert reference.score(cut).mos < 3.0
    little = len(sound) // 50
    assert reference.score(sound[little:] if part == "beginning" else sound[:-little]).mos > 4.0


@pytest.mark.parametrize(
    ("pcm", "words"),
    [
        (np.zeros(48_000), r"shape \(48000,\), not \(T, 2\)"),
        (np.zeros((48_000, 6)), r"shape \(48000, 6\)"),
        (np.full((48_000, 2), np.nan), "NaN"),
        (np.full((48_000, 2), np.inf), "infinite"),
    ],
)
def test_what_are_no_samples_is_refused(reference, pcm, words):
    with pytest.raises(ArgumentError, match=words):
        ListenerReference(pcm)
    with pytest.raises(ArgumentError, match=words):
        reference.score(pcm)


def test_a_source_of_less_than_a_frame_is_refused():
    with pytest.raises(ArgumentError, match="source has 100 samples"):
        ListenerReference(np.zeros((100, 2)))


@pytest.mark.parametrize("seconds", [0.1, 0.96, 2.0, 4.54, 11.0])
def test_scenes_of_any_length(seconds):
    sound = speech_like(2, seconds)
    score = ListenerReference(sound).score(low_passed(sound, 3000))
    assert WORST_MOS <= score.mos < IDENTITY_MOS and 0.1 <= score.spread_mos <= 1.0
    assert score.features.shape == (512,) and np.isfinite(score.features).all()


def test_a_damaged_file_is_said(monkeypatch):
    monkeypatch.setattr(hearing, "_WEIGHTS", "__init__.py")
    hearing.load_network.cache_clear()
    with pytest.raises(CheckpointError, match="install the package again"):
        hearing.load_network()
    hearing.load_network.cache_clear()
