"""Options that commands share."""

from __future__ import annotations

from abr_alloc.cli.options import default_presets
from abr_alloc.codecs import VIDEO_CODECS


def test_a_help_text_says_the_default_preset_of_every_codec() -> None:
    assert default_presets().startswith("h264 and hevc: fast, vp9: 4, av1: 8")
    assert all(codec.name in default_presets() for codec in VIDEO_CODECS.values())
