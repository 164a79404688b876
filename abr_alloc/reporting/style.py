"""What all static pictures share: colours, axes, and how a figure becomes a file.

Colours are of the Okabe-Ito palette, which colour-blind people can tell apart; what differs in colour differs in hatch,
dash or marker too.
"""

from __future__ import annotations

import io
import warnings

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = [
    "AUDIO",
    "CHOSEN",
    "DIGITS",
    "HATCH",
    "INK",
    "MAX_PANELS",
    "MUTED",
    "SHARE_LABEL",
    "VIDEO",
    "Figure",
    "heading",
    "render",
    "tidy",
    "use_rates",
]

INK, MUTED = "#222222", "#767676"
AUDIO, VIDEO, CHOSEN = "#0072B2", "#F5C87A", "#C2410C"
HATCH = "////"
"""Of what is audio."""
SHARE_LABEL = "audio share"
"""What `Relevance.audio_share` is called wherever it is shown: the one measure of relevance that pictures draw."""
MAX_PANELS = 40
"""Most titles in one picture."""
DIGITS = 4
"""Drawn digits: what float32 leaves open must not change a file."""
_HEADING_WIDTH = 48  # half of the width of a picture


def tidy(axes: Axes) -> None:
    """No box around the data, and small numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def use_rates(axes: Axes, which: str) -> None:
    """A logarithmic axis, `x` or `y`, with plain numbers of kbps at 1, 2 and 5 of every decade."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda kbps, _: f"{kbps:g}"))
    axis.set_minor_formatter(NullFormatter())


def heading(title: str) -> str:
    """A title as a heading of a panel: cut where it is too long for one, and without what cannot be drawn."""
    drawable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in title)
    return drawable if len(drawable) <= _HEADING_WIDTH else f"{drawable[: _HEADING_WIDTH - 1]}…"


def render(figure: Figure, file_format: str) -> bytes:
    """A figure as a file's bytes: `png` or `svg`, the same for the same input."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "abr_alloc"}), warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes; a line of Matplotlib's for each helps nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        metadata = {"Date": None} if file_format == "svg" else {"Software": None}
        figure.savefig(buffer, format=file_format, dpi=130, metadata=metadata)
    return buffer.getvalue()
