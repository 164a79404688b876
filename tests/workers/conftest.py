"""A real cluster: a scheduler and worker processes under nannies, as `dask worker` starts them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
IMPORTED = ["distributed", "abr_alloc.measure.tasks", "abr_alloc.runs.catalogue_run", "abr_alloc.visqol.score"]
"""What workers work with. They are forked from a process that has imported it: one that starts anew takes seconds."""


@pytest.fixture(scope="session")
def importable() -> Iterator[None]:
    """`fake_tasks` has the same name here and on workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        patch.setenv("PYTHONPATH", os.pathsep.join([HERE, os.environ["PYTHONPATH"]]))
        yield


class Cluster:
    """A scheduler at `address` and workers, which a test may add to."""

    def __init__(self, num_workers: int) -> None:
        distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
        import dask
        from distributed.utils import get_mp_context

        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
        get_mp_context().set_forkserver_preload(IMPORTED)
        # A worker that a test killed comes back however busy the machine is: given up, it would leave one too few, or,
        # as its place is filled while it comes back, one too many.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
        with dask.config.set({"distributed.scheduler.allowed-failures": 1, "distributed.admin.tick.limit": "1h"}):
            self._cluster = distributed.LocalCluster(
                n_workers=num_workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            )
        self.address: str = self._cluster.scheduler_address

    def scale(self, num_workers: int) -> None:
        """Have this many workers, also where some were killed and have not come back yet."""
        self._cluster.scale(num_workers)
        self._cluster.sync(self._reached, num_workers)

    async def _reached(self, num_workers: int, timeout_s: float = 120.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not len(self._cluster.scheduler.workers) == len(self._cluster.workers) == num_workers:
                await asyncio.sleep(0.05)

    @property
    def num_unfinished(self) -> int:
        """Tasks that the scheduler knows and that are not done."""
        return len(self._cluster.scheduler.tasks)

    @property
    def worker_address(self) -> str:
        return next(iter(self._cluster.scheduler.workers))

    def close(self) -> None:
        self._cluster.close()


@pytest.fixture(scope="session")
def standing_cluster(importable, object_store) -> Iterator[Cluster]:
    """Workers know where the store of objects is."""
    started = Cluster(2)
    yield started
    started.close()


@pytest.fixture
def cluster(standing_cluster) -> Cluster:
    """Two workers of one thread, whatever became of them in the test before."""
    standing_cluster.scale(2)
    return standing_cluster
