"""How a catalogue would run: measured task times, and a simulated schedule over many workers.

    python benchmarks/schedule.py measure FILM... -o task_seconds.csv
    python benchmarks/schedule.py simulate task_seconds.csv --titles 100000 --workers 100 1000 10000 [--json FILE]
    python benchmarks/schedule.py simulate task_seconds.csv --by parts

`measure` runs every task of the films' extraction (digest of 40 s, --probes auto) in this process, one after the other,
and notes its processor seconds, the client's own between tasks, and what it costs the client to take in a title that
was one task: to unpickle its table and write it. `simulate` draws titles from these with replacement; looks and scans
take as much longer as titles of `--minutes` are than those measured. It plays extraction's own rules on them. By titles
(`measure/whole_titles.py`): two titles per worker are handed over, each is one task. By parts (`measure/extract.py`):
titles begin in their order while fewer than three tasks per worker are under way; a look, then a scan, then all
measurements, long ones first. Workers take tasks in the order of their submission, and one client takes in finished
tasks one by one. What is not simulated: rounds of probes that wait for each other, the network, workers that die, other
jobs on the cluster.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import pickle
import random
import resource
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from results import write_results

TASKS_PER_WORKER, TITLES_PER_WORKER = 3, 2  # as measure/extract.py and measure/whole_titles.py hand them over


@dataclass
class TitleTimes:
    """Seconds of one title's tasks."""

    duration_s: float
    look_s: float = 0.0
    scan_s: float = 0.0
    measure_s: list[float] = field(default_factory=list)

    @property
    def total_s(self) -> float:
        return self.look_s + self.scan_s + sum(self.measure_s)


def processor_s() -> float:
    """Seconds of this process and of the programs that it has run."""
    own, programs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + programs.ru_utime + programs.ru_stime


def measure(films: list[Path], output: Path, grid: str) -> None:
    from abr_alloc.measure.cache import Cache
    from abr_alloc.measure.looks import LookTask, ScanTask
    from abr_alloc.measure.title import TitleMeasurement
    from abr_alloc.measure.whole_titles import MeasuredTitle
    from abr_alloc.media.ffmpeg import find_ffmpeg
    from abr_alloc.media.probe import probe
    from abr_alloc.runs.extract_run import extract_options
    from abr_alloc.table.table import write_features

    options = extract_options(grid=grid, digest_s=40.0, probes="auto")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for film in films:
            cache, duration_s = Cache(Path(folder) / "cache"), f"{probe(film, find_ffmpeg()).duration_s:.1f}"
            title = TitleMeasurement(film.stem, film, find_ffmpeg(), cache, options)
            waiting: deque = deque([title.begin()])
            client_s = 0.0
            while waiting:
                task = waiting.popleft()
                started = processor_s()
                result = task.run(cache)
                ended = processor_s()
                waiting += title.go_on(task, result)
                client_s += processor_s() - ended
                kind = {LookTask: "look", ScanTask: "scan"}.get(type(task), "measure")
                rows.append((film.stem, duration_s, kind, f"{ended - started:.4f}"))
            started = processor_s()
            table = title.finished_table()
            rows.append((film.stem, duration_s, "client", f"{client_s + processor_s() - started:.4f}"))
            sent = pickle.dumps(MeasuredTitle(table=table, warnings=()))
            started = processor_s()
            for _ in range(10):
                write_features(pickle.loads(sent).table, Path(folder) / "table.parquet")  # noqa: S301 - its own
            rows.append((film.stem, duration_s, "take in", f"{(processor_s() - started) / 10:.4f}"))
            print(f"{film.stem}: a table of {len(sent) / 1000:.0f} kB is sent")
    with output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("title", "duration_s", "kind", "seconds"))
        writer.writerows(rows)


@dataclass(frozen=True)
class Client:
    """Seconds of the one process that hands tasks out."""

    task_s: float
    """For a task of a title in parts."""
    title_s: float
    """For a title that is one task."""


def read_times(path: Path, minutes: float) -> tuple[list[TitleTimes], Client]:
    """The measured titles as if they were so long, and the client's seconds."""
    titles: dict[str, TitleTimes] = {}
    client_s, take_in_s, num_tasks = 0.0, 0.0, 0
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            duration_s, seconds = float(row["duration_s"]), float(row["seconds"])
            title, longer = titles.setdefault(row["title"], TitleTimes(duration_s)), 60.0 * minutes / duration_s
            if row["kind"] == "client":
                client_s += seconds
            elif row["kind"] == "take in":
                take_in_s += seconds
            else:
                num_tasks += 1
            if row["kind"] == "measure":
                title.measure_s.append(seconds)
            elif row["kind"] == "scan":
                title.scan_s = longer * seconds
            elif row["kind"] == "look":
                title.look_s = longer * seconds
    return list(titles.values()), Client(task_s=client_s / num_tasks, title_s=take_in_s / len(titles))


@dataclass(frozen=True)
class Run:
    """What a simulated schedule came to."""

    makespan_s: float
    busy_share: float
    client_share: float
    tail_s: float
    """From the moment the first worker found nothing more to do to the end."""


def simulate(
    times: list[TitleTimes],
    client: Client,
    num_titles: int,
    num_workers: int,
    seed: int,
    per_task_s: float,
    *,
    by_titles: bool,
) -> Run:
    """Play the rules of extraction on titles drawn from `times`.

    Args:
        times: measured titles.
        client: its seconds per finished task.
        num_titles: how many.
        num_workers: how many.
        seed: of the draws.
        per_task_s: what a scheduler and a worker add to each task, seconds.
        by_titles: whether each title is one task.
    """
    client_s, most = (client.title_s, TITLES_PER_WORKER) if by_titles else (client.task_s, TASKS_PER_WORKER)
    rng = random.Random(seed)
    queue: deque[tuple[int, str, float]] = deque()  # handed over, not started: title, kind, seconds
    running: list[tuple[float, int, int, str]] = []  # end, number, title, kind
    drawn: dict[int, TitleTimes] = {}
    left: dict[int, int] = {}
    now = client_free = busy = client_busy = 0.0
    begun = number = outstanding = 0
    first_idle = None

    def hand_over(title: int, kind: str, seconds: float) -> None:
        nonlocal outstanding
        queue.append((title, kind, seconds))
        outstanding += 1

    while True:
        while begun < num_titles and outstanding < most * num_workers:
            drawn[begun] = rng.choice(times)
            hand_over(begun, *(("all", drawn[begun].total_s) if by_titles else ("look", drawn[begun].look_s)))
            begun += 1
        while queue and len(running) < num_workers:
            title, kind, seconds = queue.popleft()
            heapq.heappush(running, (now + seconds + per_task_s, number, title, kind))
            number, busy = number + 1, busy + seconds
        if not running:
            break
        if first_idle is None and begun == num_titles and not queue and len(running) < num_workers:
            first_idle = now
        ended, _, title, kind = heapq.heappop(running)
        # The worker is free at once, but what follows waits for the client.
        client_free = max(client_free, ended) + client_s
        client_busy += client_s
        now = max(now, ended) if queue else max(now, client_free)
        outstanding -= 1
        own = drawn[title]
        if kind == "all":
            del drawn[title]
        elif kind == "look":
            hand_over(title, "scan", own.scan_s)
        elif kind == "scan":
            left[title] = len(own.measure_s)
            for seconds in sorted(own.measure_s, reverse=True):
                hand_over(title, "measure", seconds)
        else:
            left[title] -= 1
            if not left[title]:
                del left[title], drawn[title]
    makespan = max(now, client_free)
    return Run(
        makespan_s=makespan,
        busy_share=busy / (num_workers * makespan),
        client_share=client_busy / makespan,
        tail_s=makespan - (first_idle or makespan),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("films", type=Path, nargs="+")
    measuring.add_argument("--grid", default="hull")
    measuring.add_argument("-o", "--output", type=Path, required=True)
    simulating = commands.add_parser("simulate")
    simulating.add_argument("times", type=Path)
    simulating.add_argument("--titles", type=int, default=100_000)
    simulating.add_argument("--minutes", type=float, default=45.0, help="length of a title")
    simulating.add_argument("--workers", type=int, nargs="+", default=[10, 100, 300, 1000, 3000, 10_000])
    simulating.add_argument("--by", choices=("titles", "parts"), default="titles", help="what a task is")
    simulating.add_argument("--per-task-ms", type=float, default=1.0, help="of the scheduler and a worker")
    simulating.add_argument("--seed", type=int, default=0)
    simulating.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.command == "measure":
        measure(args.films, args.output, args.grid)
        return
    times, client = read_times(args.times, args.minutes)
    mean_s = sum(title.total_s for title in times) / len(times)
    tasks = sum(2 + len(title.measure_s) for title in times) / len(times)
    scan_s = sum(title.look_s + title.scan_s for title in times) / len(times)
    print(f"{len(times)} measured titles: {tasks:.0f} tasks and {mean_s:.0f} s of one core each on average, ", end="")
    print(f"{scan_s:.0f} s of them look and scan of {args.minutes:g} minutes; ", end="")
    print(f"client {1000 * client.task_s:.2f} ms a task, {1000 * client.title_s:.1f} ms a title that is one")
    core_hours = args.titles * mean_s / 3600
    print(f"{args.titles} titles: {core_hours:.0f} core-hours")
    print("| workers | hours | titles an hour | workers busy | client busy | tail, s |\n" + "|---" * 6 + "|")
    ratios = {}
    for num_workers in args.workers:
        run = simulate(
            *(times, client, args.titles, num_workers, args.seed, args.per_task_ms / 1000),
            by_titles=args.by == "titles",
        )
        hours = run.makespan_s / 3600
        cells = (
            f"{hours:.1f} | {args.titles / hours:.0f} | {100 * run.busy_share:.1f} % | {100 * run.client_share:.1f} %"
        )
        print(f"| {num_workers} | {cells} | {run.tail_s:.0f} |", flush=True)
        ratios[f"ideal / makespan, {num_workers} workers, larger is better (faster)"] = run.busy_share
    write_results(args.json, "schedule", ratios)


if __name__ == "__main__":
    main()
