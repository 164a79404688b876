"""What a long run says, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abr_alloc.cli.progress import progress
from abr_alloc.cli.verbosity import inform
from abr_alloc.parameters import with_options

if TYPE_CHECKING:
    from abr_alloc.runs.feedback import Feedback

__all__ = ["listener"]


def listener() -> Feedback:
    """Notes as lines, stages as a progress bar, as the place and the flags ask for."""
    from abr_alloc.runs.feedback import Feedback

    return Feedback(note=lambda text: inform(with_options(text)), stage=progress)
