"""What is chosen where nothing is said: stated once, for the Python API and the command line alike. Imports nothing."""

from __future__ import annotations

MODEL = "attentive"
"""Model that predicts AVQ."""
OVERHEAD = 0.02
"""Container overhead, as a share of the streams' own rate."""

NETWORK = "lognormal:median=3M,sigma=0.9"
"""Bandwidth of the audience."""
NUM_RUNGS = 6
"""Rungs of a ladder."""
JND_MOS = 0.1
"""What a rung must add to the one below it where the number of rungs is free, MOS."""
MAX_AUDIO = 3
"""Most distinct audio renditions of a ladder."""
MIN_RATIO, MAX_RATIO = 1.3, 2.5
"""Ratio of the total rates of successive rungs."""
ROUND_KBPS = 5.0
"""Video rates of a ladder are multiples of this, kbps."""
STORAGE_MONTHS = 12.0
"""How long a title is kept, where storage has a price, months."""

GRID = "hull"
"""Renditions to probe."""
PROBES = "auto"
"""How much of a grid is measured: what plans rest on, the rest estimated; or `all`."""
AUDIO_FEATURES = "visqol"
"""Who hears audio renditions: a family of audio features."""
VIDEO_CODEC = "h264"
"""Codec of the probes."""
MAX_SCENE_S = 60.0
"""Longer scenes are cut, seconds: the memory of comparing audio goes with a scene's length, 8 MiB a second."""
DIGEST_S = 40.0
"""What is measured of a long title, seconds."""
DIGEST_ABOVE_S = 120.0
"""Titles up to this are measured whole, seconds."""
MAX_MEGAPIXELS = 40.0
"""Largest picture of a source: a small file can hold a very large one."""
STALL_S = 900.0
"""An ffmpeg that has neither read nor written for so long is ended, seconds."""

SEGMENT_S = 6.0
"""Length of a segment, seconds (Apple's HLS Authoring Specification, 7.5); more where frames do not divide it."""
RATE_TOLERANCE = 0.05
"""How far the rate of a delivered rung may be from its prediction, as a share."""
AVQ_TOLERANCE_MOS = 0.1
"""How far its AVQ may be, MOS."""
AUDIO_LABEL = "Audio"
"""Name of every audio rendition in a player's menu: members of different groups must agree on it (RFC 8216, section
4.3.4.1.1)."""

SCREENS = ("tv", "phone")
"""What everybody may watch on; the first where nobody says."""
