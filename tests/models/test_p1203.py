"""P.1203.2's audio curve against published values."""

import numpy as np
import pytest

from abr_alloc.models.p1203 import p1203_audio_mos


def test_p1203_gives_the_curve_of_aac() -> None:
    assert p1203_audio_mos("aac", np.array([8.0, 32.0, 128.0])) == pytest.approx([1.320, 3.643, 4.554], abs=5e-4)


def test_p1203_stays_between_its_ends() -> None:
    assert p1203_audio_mos("aac", np.array([0.0]))[0] == 1.05
    assert p1203_audio_mos("heaac", np.array([1e4]))[0] < 4.9
