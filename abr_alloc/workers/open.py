"""Processes of this machine, or a cluster: whoever asks for work does not know which."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from abr_alloc.errors import ClusterError
from abr_alloc.workers.local import LocalWorkers

if TYPE_CHECKING:
    from abr_alloc.media.ffmpeg import FFmpeg
    from abr_alloc.workers.task import Workers

__all__ = ["open_workers"]


def open_workers(jobs: int, scheduler: str | None, *, ffmpeg: FFmpeg | None = None) -> Workers:
    """Workers for a run, to be used in a `with` block.

    Args:
        jobs: processes of this machine, where there is no scheduler.
        scheduler: address of a Dask scheduler, like `tcp://host:8786`; None for this machine.
        ffmpeg: the ffmpeg of the tasks, if they need one.

    Raises:
        ClusterError: the cluster cannot be reached, its workers differ from this process, or the extra is missing.
    """
    if scheduler is None:
        return LocalWorkers(jobs)
    if importlib.util.find_spec("distributed") is None:
        raise ClusterError("`scheduler` needs the extra [cluster]; pip install 'abr_alloc[cluster]'", address=scheduler)
    from abr_alloc.workers.cluster import ClusterWorkers

    return ClusterWorkers(scheduler, ffmpeg)
