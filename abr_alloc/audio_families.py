"""Families of audio features: who hears a rendition beside its source, with the facts about each stated once.

Both families give 512 numbers and a MOS per rendition and scene. What the numbers mean differs, so a feature table
holds those of one family, and a model reads those of the one that it was trained on. Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AUDIO_FAMILIES", "LISTENER", "VISQOL", "AudioFamily", "family_of"]

_NUM_BANDS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFamily:
    """A family."""

    name: str
    """What users call it."""
    version: str
    """Version of its features: changes whenever the same media would give other numbers."""
    identity_mos: float
    """`audio_mos` of a rendition that is its source."""
    identity_statistics: tuple[float | None, ...]
    """Its features of a rendition that is its source, each for 32 in a row, over and over; None for what depends on the
    signal."""
    cost: float
    """Rough seconds of one core that a rendition takes for each second of sound, decoding and all, in short scenes: in
    long ones ViSQOL takes up to three times as many (docs/measure.md)."""

    @property
    def prefix(self) -> str:
        """What all versions of its features have before the slash."""
        return _prefix_of(self.version)

    def identity_feature(self, place: int) -> float | None:
        """The feature at a place, from 0, of a rendition that is its source; None where it depends on the signal."""
        return self.identity_statistics[place // _NUM_BANDS % len(self.identity_statistics)]


VISQOL = AudioFamily(
    name="visqol",
    version="visqol_v3_lrms/1",
    identity_mos=4.732101,  # conformance value of castanets against itself
    identity_statistics=(1.0, 1.0, 0.0, None),  # fvnsim, fvnsim10, fstdnsim, fvdegenergy
    cost=0.04,
)
"""ViSQOL v3 on four stereo views."""
LISTENER = AudioFamily(name="listener", version="listener/1", identity_mos=4.65, identity_statistics=(0.0,), cost=0.02)
"""The project's own listener: what a trained network hears beside what it hears in the source alone."""

AUDIO_FAMILIES = {family.name: family for family in (VISQOL, LISTENER)}
"""Every family by its name."""


def family_of(version: str | None) -> AudioFamily:
    """The family that a version of features is of, an older or newer one too, by what stands before the slash.

    ViSQOL's where no version is said, as of rated stimuli, or no family has it.
    """
    prefix = _prefix_of(version or "")
    return next((family for family in AUDIO_FAMILIES.values() if family.prefix == prefix), VISQOL)


def _prefix_of(version: str) -> str:
    return version.partition("/")[0]
