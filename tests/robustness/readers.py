"""Every reader, with something valid to damage and with what must hold of whatever it accepts.

A case ends well when the reader refuses with an error of the package or of click's usage, or when what it accepted goes
through the commands: JSON without NaN, no plan over its budget. Anything else that is raised is a fault.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import importlib.util
import io
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np

from abr_alloc.allocation.prediction import AVQ_RANGE
from abr_alloc.cli.main import cli
from abr_alloc.errors import AbrAllocError, InfeasibleBudgetError
from abr_alloc.shipped import grid_names

from .mutation import NUMBERS, TOKENS, damaged_bytes, damaged_json, damaged_text
from .tables import damaged_table, sound_bytes

ROOT = Path(__file__).parents[2]
REFUSED = (AbrAllocError, click.UsageError)
MOST_SECONDS = 20.0

Check = Callable[[Random, Path], None]
READERS: dict[str, Check] = {}


def reader(weight: int) -> Callable[[Check], Check]:
    """Register a reader; of so many parts of all cases it gets so many."""

    def register(check: Check) -> Check:
        READERS[check.__name__] = check
        WEIGHTS[check.__name__] = weight
        return check

    return register


WEIGHTS: dict[str, int] = {}


def try_once(name: str, rng: Random, folder: Path) -> bool:
    """One case of a reader: whether it was accepted."""
    start = time.process_time()
    try:
        READERS[name](rng, folder)
        accepted = True
    except REFUSED as error:
        message = str(error) if isinstance(error, AbrAllocError) else error.format_message()
        assert message
        message.encode()  # it can be printed
        accepted = False
    assert time.process_time() - start < MOST_SECONDS
    return accepted


def run(*words: object) -> str:
    """What a command prints; that nothing fits is an answer where it prints the rest, and else a refusal."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        try:
            cli([str(word) for word in words], standalone_mode=False)
        except InfeasibleBudgetError:
            if not out.getvalue():
                raise
    text = out.getvalue()
    text.encode()
    return text


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    return json.loads(text, parse_constant=refuse)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# Feature tables and models, which plans are made of.

_BUDGETS = (50, 300, 700, 1500, 4000, 1e6)


def plan_and_more(rng: Random, table: Path, model: str | Path) -> None:
    """Some command over a table that was accepted: finite, and no plan over its budget."""
    budget = rng.choice(_BUDGETS)
    planned = [table, "--budget", f"{budget}k", "--model", model]
    kind = rng.randrange(40)
    if kind <= 14:
        check_plan(strict(run("plan", *planned, "--json")), budget, per_title=False)
    elif kind <= 20:
        pool = rng.choice(("mean", "harmonic", "min", "p5"))
        more = rng.choice(([], ["--audio", "scene"], ["--max-rate", "900k"], ["--min-avq", "2"]))
        text = run("plan", *planned, "--per", "title", "--pool", pool, "--json", *more)
        check_plan(strict(text), budget, per_title=True)
    elif kind <= 24:
        check_csv(run("plan", *planned, "--csv"), budget)
    elif kind <= 27:
        assert "nan" not in run("plan", *planned).lower().replace("nant", "")
    elif kind <= 32:
        path = table.with_name("ladder.json")
        path.unlink(missing_ok=True)
        compare = ["--compare", "apple-hls-avc"] if rng.random() < 0.5 else []
        number = rng.choice(("auto", "3", "6"))
        assert "nan" not in run(
            "ladder", table, "--model", model, "--rungs", number, "-o", path, *compare
        ).lower().replace("nant", "")
        if path.exists():  # what is written is read back
            strict(path.read_text())
            assert run(
                "export", path, "--format", "csv", "--title", json.loads(path.read_text())["ladders"][0]["title"]
            )
    elif kind <= 35:
        strict(run("relevance", table, "--model", model, "--json"))
    elif kind <= 37:
        strict(run("plan", table, "--model", model, "--sensitivity", "--json"))
    elif rng.random() < 0.02:
        page = table.with_name("report.html")
        run("report", table, "--model", model, "-o", page, "--budget", f"{budget}k")


def check_plan(document: Mapping[str, Any], budget_kbps: float, *, per_title: bool) -> None:
    for row in document["plans"]:
        assert AVQ_RANGE[0] <= row["avq_mos"] <= AVQ_RANGE[1], row["avq_mos"]
        assert math.isfinite(row["total_kbps"])
        if not per_title:
            assert row["total_kbps"] <= budget_kbps * (1.0 + 1e-9)
    for row in document.get("certificates", ()):
        assert row["mean_kbps"] <= budget_kbps * (1.0 + 1e-9)


def check_csv(text: str, budget_kbps: float) -> None:
    for row in csv.DictReader(io.StringIO(text)):
        assert float(row["total_kbps"]) <= budget_kbps * (1.0 + 1e-5)
        assert not {"nan", "inf", "-inf"} & set(row.values())


@reader(4)
def feature_table(rng: Random, folder: Path) -> None:
    from abr_alloc.table.catalogue import open_catalogue, read_table
    from abr_alloc.table.table import read_features

    path = write(folder, "table.parquet", damaged_table(rng))
    outcomes = []
    for read in (
        lambda: read_features(path),
        lambda: [read_table(chunk) for chunk in open_catalogue(path).chunks],
    ):
        try:
            read()
            outcomes.append(None)
        except AbrAllocError as error:
            outcomes.append(error)
    refused = [error for error in outcomes if error is not None]
    assert len(refused) in (0, 2), [str(error) for error in refused]  # all ways of reading know one law
    if refused:
        raise refused[0]
    if rng.random() < 0.5:
        return
    plan_and_more(rng, path, rng.choice(("product-fitted", "p1203", "svr-8f", "attentive", "live-sjtu")))


@functools.cache
def _model(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors.numpy import load

    folder = ROOT / "abr_alloc" / "models" / "weights" / name
    card = json.loads((folder / "model.json").read_text())
    for parts in (card["training"].get("titles", []), card["training"].get("contents", [])):
        del parts[3:]
    return card, load((folder / "model.safetensors").read_bytes())


@reader(4)
def checkpoint(rng: Random, folder: Path) -> None:
    from safetensors.numpy import save

    from abr_alloc.models.checkpoint import load_model

    name = rng.choice(("product-fitted", "p1203", "svr-2f", "svr-8f", "live-sjtu", "live-sjtu", "simple", "attentive"))
    card, tensors = _model(name)
    in_weights = rng.random() < 0.5
    if in_weights:
        tensors = _damaged_tensors(rng, tensors)
    try:
        weights = save({key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()})
    except (ValueError, TypeError):
        return
    if rng.random() < 0.05:
        weights = damaged_bytes(rng, weights)
    card = card | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    mine = folder / "model"
    mine.mkdir(exist_ok=True)
    write(mine, "model.safetensors", weights)
    write(mine, "model.json", json.dumps(card).encode() if in_weights else damaged_json(rng, card))
    load_model(str(mine))
    table = folder / "sound.parquet"
    if not table.exists():
        table.write_bytes(sound_bytes())
    plan_and_more(rng, table, mine)


def _damaged_tensors(rng: Random, tensors: Mapping[str, Any]) -> dict[str, Any]:
    tensors = dict(tensors)
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice(sorted(tensors)) if tensors else ""
        if not key:
            break
        tensor, kind = np.array(tensors[key]), rng.randrange(12)
        huge = rng.choice((math.nan, math.inf, -math.inf, 6e4, -6e4, 1e30, -1e30, 1e300, 0.0, -1.0, 1e-40))
        # What was made whole numbers before holds no NaN and nothing that is too large.
        huge = huge if np.issubdtype(tensor.dtype, np.floating) else rng.choice((0, 1))
        with np.errstate(all="ignore"):
            if kind <= 1:
                tensor[...] = huge
            elif kind <= 3 and tensor.size:
                tensor.flat[rng.randrange(tensor.size)] = huge
            elif kind == 4:
                tensor = tensor * rng.choice((-1, 0, 10, 1e3, 1e10, 1e30, 1e-30))
            elif kind == 5:
                tensor = tensor.astype(
                    rng.choice((np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_, np.uint8))
                )
            elif kind == 6:
                tensor = rng.choice(
                    (tensor[..., None], tensor.ravel(), tensor.T, tensor[:1], tensor[..., :1], tensor[:0])
                )
            elif kind == 7 and tensor.ndim:
                tensor = np.concatenate([tensor, tensor])
            elif kind == 8:
                del tensors[key]
                continue
            elif kind == 9:
                tensors[rng.choice(("extra", "7.first.bias", key + "x", "0.hidden.9.weight", "audio.mean"))] = tensor
                continue
            elif kind == 10:
                other = rng.choice(sorted(tensors))
                tensors[key], tensors[other] = tensors[other], tensors[key]
                continue
            else:
                tensor = np.array(tensor.flat[0] if tensor.size else 0.0)
        tensors[key] = tensor
    return tensors


# Ladders, grids, networks.


@functools.cache
def _ladder_document() -> dict[str, Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        table = write(Path(folder), "sound.parquet", sound_bytes())
        text = run("ladder", table, "--rungs", "4", "--compare", "apple-hls-avc", "--json")
        shared = run("ladder", table, "--rungs", "3", "--shared", "--json")
    document = json.loads(text)
    document["ladders"] += json.loads(shared)["ladders"]
    words = {"encoder": "libx264", "preset": "slow", "params": "aq-mode=3:me=umh", "args": ["-tune", "film"]}
    mine = {"codec": "h264", "command": ["enc", "{y4m}", "{value}", "{out}"], "program_sha256": "0" * 64}
    document["features"]["encoders"] = {"h264": {"codec": "h264"} | words, "mine": mine}
    return document


@reader(6)
def ladder_file(rng: Random, folder: Path) -> None:
    from abr_alloc.formats.ladder_file import read_designed, read_provenance, read_title_facts

    document = _ladder_document()
    if rng.random() < 0.6:
        document = document | {"ladders": [rng.choice(document["ladders"])]}
    path = write(folder, "ladder.json", damaged_json(rng, document))
    ladders = read_designed(path)
    read_provenance(path)
    read_title_facts(path)
    title = rng.choice(ladders).ladder.title
    form = rng.choice(
        ("csv", "parquet", "hls", "dash", "ffmpeg", "mediaconvert", "shaka-streamer", "report", "compare")
    )
    table = folder / "sound.parquet"
    if not table.exists():
        table.write_bytes(sound_bytes())
    if form == "compare":
        strict(run("ladder", table, "--rungs", "3", "--compare", path, "--json", "--model", "product-fitted"))
    elif form == "report" and rng.random() < 0.03:
        run(
            "report",
            table,
            "--ladder",
            path,
            "-o",
            folder / "report.html",
            "--budget",
            "500k",
            "--model",
            "product-fitted",
        )
    elif form == "mediaconvert":
        strict(run("export", path, "--format", form, "--title", title, "--fps", "25"))
    elif form != "report":
        output = {"parquet": ["-o", folder / "out.parquet"], "shaka-streamer": ["-o", folder / "out"]}.get(form, [])
        more = ["--fps", "25"] if form in ("hls", "dash", "ffmpeg", "shaka-streamer") else []
        more += ["--duration", "20s"] if form == "dash" else []
        text = run("export", path, "--format", form, "--title", title, *output, *more)
        assert form not in ("csv", "hls", "dash") or text


@reader(4)
def reference_ladder(rng: Random, folder: Path) -> None:
    from abr_alloc.allocation.fixed import parse_reference

    name = rng.choice(("apple-hls-avc", "apple-hls-hevc"))
    text = (ROOT / "ladders" / "reference" / f"{name}.toml").read_text(encoding="utf-8")
    found = parse_reference(name, damaged_text(rng, text))
    assert found.rungs
    for rung in found.rungs:
        assert rung.width_px > 0 and rung.height_px > 0
        assert 0.0 < rung.video_kbps < math.inf and 0.0 < rung.audio_kbps < math.inf
    f"{found}".encode()


@reader(6)
def grid(rng: Random, folder: Path) -> None:
    from abr_alloc.media.grid import load_grid
    from abr_alloc.media.probe import MediaInfo

    text = (ROOT / "ladders" / "grids" / f"{rng.choice(grid_names())}.toml").read_text(encoding="utf-8")
    if rng.random() < 0.5:
        text = '[video]\nsizes = [720, 360]\nrates = ["500k", "2M"]\n[video.crf]\nh264 = [20, 30.5]\nav1 = [30]\n'
        text += '[audio]\ncodecs = ["aac"]\naac = ["32k", "64k"]\nopus = ["32k"]\n'
        text += _GRID_ENCODERS if rng.random() < 0.7 else ""
    found = load_grid(str(write(folder, "grid.toml", damaged_text(rng, text))))
    info = MediaInfo.__new__(MediaInfo)
    for field, value in (("width_px", 1920), ("height_px", 1080), ("channels", 2)):
        object.__setattr__(info, field, value)
    for encoder in found.encoders.values():
        _check_encoder(encoder)
    for codec in found.video_targets:
        assert all(t.width_px >= 2 and t.height_px >= 2 for t in found.video(info, codec))
    found.audio(info)
    assert all(isinstance(side, int) and 16 <= side <= 65536 for side in found.sizes_px)
    for targets in (*found.video_targets.values(), *found.audio_targets.values()):
        assert all(-1e9 <= _number(target) < 1e9 for target in targets), targets


_GRID_ENCODERS = """
[encoders.film]
codec = "h264"
preset = "fast"
params = "aq-mode=3:me=umh:no-mbtree"
args = ["-tune", "film", "-bf", "3"]
gop_s = 1.5
rate_mode = "capped-crf"
max_rate = "4M"
values = [30, 24.5]
[encoders.card]
codec = "hevc"
encoder = "hevc_nvenc"
preset = "p5"
pixel_format = "yuv420p10le"
rate_mode = "vbr"
rates = ["500k", "2M"]
[encoders.mine]
codec = "vp9"
command = ["enc", "--in", "{y4m}", "--q={value}", "--out", "{out}.ivf", "{gop}"]
y4m = "pipe"
value_step = 0.5
values = [-3, 27]
[encoders.sound]
codec = "opus"
args = ["-application", "audio"]
rates = ["48k"]
"""


def _check_encoder(encoder: Any) -> None:
    """What was accepted is handed to no program but as words that were looked at, and comes back as it was written."""
    from abr_alloc.allowed_parameters import check_params
    from abr_alloc.encoder_settings import encoders_of, settings_of

    words = [*encoder.args, getattr(encoder, "params", ""), getattr(encoder, "pixel_format", ""), encoder.encoder]
    assert all(word.isascii() and word.isprintable() and not set(word) & set("/\\'\"* ") for word in words), words
    assert all(word.startswith("-") for word in encoder.args[::2])
    if getattr(encoder, "params", ""):
        check_params(encoder.params, encoder.encoder)
    assert not encoder.command or any("{out}" in word for word in encoder.command)
    assert encoders_of({encoder.name: strict(json.dumps(settings_of(encoder)))}) == {encoder.name: encoder}


@reader(4)
def encoder_settings(rng: Random, folder: Path) -> None:
    """As tables, ladders and delivery records carry them."""
    from abr_alloc.documents import parse_json
    from abr_alloc.encoder_settings import encoders_of
    from abr_alloc.errors import GridError

    words = {"codec": "h264", "encoder": "libx264", "params": "aq-mode=3:me=umh", "args": ["-tune", "film"]}
    film = words | {"rate_mode": "capped-crf", "max_rate_kbps": 900.0, "gop_s": 1.0, "pixel_format": "yuv420p"}
    mine = {"codec": "vp9", "command": ["enc", "{y4m}", "{value}", "{out}.ivf"], "y4m": "pipe", "value_step": 1.0}
    document = {"film": film, "mine": mine, "sound": {"codec": "aac", "args": ["-cutoff", "16000"]}}
    try:
        found = encoders_of(parse_json(damaged_json(rng, document)))
    except ValueError as error:  # as every reader of a file that carries them does
        raise GridError(str(error) or "no message") from error
    for encoder in found.values():
        _check_encoder(encoder)


def _number(target: str) -> float:
    from abr_alloc.targets import Target

    found = Target(target)
    return found.kbps if found.is_rate else found.number


@reader(4)
def ladder_rows(rng: Random, folder: Path) -> None:
    from abr_alloc.formats.ladder_rows import read_ladder_rows

    text = "title,video_codec,width_px,height_px,video_kbps,video_target,audio_codec,audio_kbps,channels,audio_target\n"
    text += "a,h264,640,360,900k,v360,aac,64k,2,a64\nb,hevc,1280,720,1.8M,,opus,96,,\n"
    if rng.random() < 0.3:
        text = text.replace(",", ";").replace("\n", "\r\n")
    path = write(folder, "ladder.csv", damaged_text(rng, text))
    for found in read_ladder_rows(path):
        assert found.rungs
        for rung in found.rungs:
            assert rung.audio is not None
            for kbps in (rung.video.kbps, rung.audio.kbps):
                assert kbps is None or 0.0 < kbps < math.inf
    if rng.random() < 0.04:
        table = folder / "sound.parquet"
        if not table.exists():
            table.write_bytes(sound_bytes())
        strict(run("audit", table, "--ladder", path, "--json", "--model", "product-fitted"))


@reader(3)
def rendition_list(rng: Random, folder: Path) -> None:
    from abr_alloc.runs.rendition_list import list_renditions

    init = "hls/video/64/init.mp4"
    text = f"path,kind,label,vmaf_log\n{init},video,low,log.xml\nnone.mp4,,high,\n{init},both,a b,\n"
    path = write(folder, "list.csv", damaged_text(rng, text))
    found, failed = list_renditions([path], (), folder / "streams")
    assert all(one.rendition.label.isprintable() or str(one.error) for one in failed)
    assert all(one.label and one.label.isprintable() and "=" not in one.label[:4] for one in found)


@reader(5)
def network(rng: Random, folder: Path) -> None:
    from abr_alloc.allocation.audience import read_audience

    if rng.random() < 0.4:
        words = ["lognormal", ":", "median", "=", "3M", ",", "sigma", "=", "0.9"]
        for _ in range(rng.choice((1, 2))):
            words[rng.randrange(len(words))] = rng.choice((*TOKENS, "1e-300", "1e300", "0.5", "10M"))
        audience = read_audience("".join(words))
    else:
        text = "kbps,weight\n300,0.1\n1000,0.2\n2500,0.4\n8000,0.3\n"
        audience = read_audience(str(write(folder, "network.csv", damaged_text(rng, text))))
    rates = np.geomspace(1.0, 1e7, 200)
    share = audience.share_with(rates)
    assert ((share >= 0.0) & (share <= 1.0 + 1e-9)).all(), share
    assert (np.diff(share) <= 1e-12).all()


# Ratings.


@functools.cache
def _ratings_text() -> str:
    return "\n".join((ROOT / "examples" / "ratings.csv").read_text().split("\n")[:30]) + "\n"


@reader(7)
def ratings(rng: Random, folder: Path) -> None:
    import pandas as pd

    from abr_alloc.learning.ratings import from_ratings, read_contents, read_ratings, read_video_ratings

    which = rng.randrange(4)
    if which == 0:
        text = "mos,vif_scale0,vif_scale1,vif_scale2,vif_scale3,motion2,adm2,broken\n"
        text += "3.5,.2,.3,.4,.5,3.1,.8,0\n2.5,.1,.2,.3,.4,2.1,.7,0\n4.5,.8,.8,.9,.9,5.1,.9,1\n"
        frame = read_video_ratings(write(folder, "video.csv", damaged_text(rng, text)))
        assert np.isfinite(frame[["mos", "motion2"]].to_numpy()).all()
        return
    if which == 1:
        found = read_contents(write(folder, "contents.csv", damaged_text(rng, "title,content\na,b\nc,b\nd,e\n")))
        assert all(isinstance(word, str) for pair in found.items() for word in pair)
        return
    path = write(folder, "ratings.csv", damaged_text(rng, _ratings_text()))
    if which == 2:
        frame = pd.read_csv(io.StringIO(_ratings_text()))
        column = rng.choice(list(frame.columns))
        value = rng.choice((None, "", "x", math.nan, math.inf, -1, 0, 1e308, True, [1], b"\xff", 10**30, "9" * 5000))
        values = frame[column].astype(object).to_list()
        changed = [rng.randrange(len(values))] if rng.random() < 0.5 else range(len(values))
        for row in changed:
            values[row] = value
        path = folder / "ratings.parquet"
        try:
            frame.assign(**{column: pd.Series(values, dtype=object)}).to_parquet(path)
        except Exception:
            return  # Arrow cannot hold that
        if rng.random() < 0.3:
            path.write_bytes(damaged_bytes(rng, path.read_bytes()))
    data = from_ratings(read_ratings(path))
    assert np.isfinite(data.mos).all() and np.isfinite(data.x_v).all() and np.isfinite(data.x_a).all()
    assert ((data.mos >= 1.0) & (data.mos <= 5.0)).all()


# Streams.


@reader(8)
def playlist(rng: Random, folder: Path) -> None:
    from abr_alloc.linting.playlist import read_playlist

    stream = folder / "hls"
    paths = sorted(stream.rglob("*.m3u8"))
    path = rng.choice([stream / "master.m3u8", *paths])
    text = path.read_text(encoding="utf-8")
    data = damaged_text(rng, text)
    found = read_playlist(data)
    assert all(flaw.message.encode() and flaw.next for flaw in found.flaws)
    if rng.random() < 0.15:
        with _replaced(path, data):
            strict(run("lint", stream / "master.m3u8", "--json"))
            run("lint", path)


@reader(9)
def segment(rng: Random, folder: Path) -> None:
    from abr_alloc.media.bitstream import read_fragment

    stream = folder / "hls"
    path = rng.choice(sorted(stream.rglob("*.m4s")))
    data, init = path.read_bytes(), path.with_name("init.mp4").read_bytes()
    head = data[:2000]
    which = rng.randrange(4)
    if which == 0:
        init = damaged_bytes(rng, init)
    elif which == 1:
        data = damaged_bytes(rng, head) + data[2000:]
    elif which == 2:
        init, data = _damaged_box(rng, init), data
    else:
        data = damaged_bytes(rng, data)
    found = read_fragment(data, init, name="a segment", first_frame_only=rng.random() < 0.2)
    assert found.timescale > 0 and found.end >= found.start and found.num_frames > 0
    assert math.isfinite(found.duration_s)
    if rng.random() < 0.04:
        with _replaced(path, data), _replaced(path.with_name("init.mp4"), init):
            strict(run("lint", stream / "master.m3u8", "--json"))


def _damaged_box(rng: Random, init: bytes) -> bytes:
    """A number in a header box replaced by one of the ends of its range."""
    names = [
        name
        for name in (b"mvhd", b"tkhd", b"mdhd", b"elst", b"stsd", b"avcC", b"esds", b"trex", b"mp4a", b"avc1")
        if name in init
    ]
    at = init.index(rng.choice(names)) + 4 + 4 * rng.randrange(12)
    number = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1"))
    return init[:at] + number + init[at + 4 :]


@contextlib.contextmanager
def _replaced(path: Path, content: bytes) -> Iterator[None]:
    was = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(was)


@functools.cache
def _delivery_document(folder: Path) -> dict[str, Any]:
    from abr_alloc.formats.delivery_record import AudioOrder, Delivery, PlannedRung, VideoOrder, write_delivery

    videos = tuple(
        VideoOrder(
            name=f"video/{h}", codec="h264", width_px=2 * h, height_px=h, preset="fast", planned_kbps=k, asked_kbps=k
        )
        for h, k in ((64, 80.0), (96, 150.5))
    )
    audios = (AudioOrder(name="audio/aac", codec="aac", channels=2, target="b=64k", planned_kbps=64.0),)
    rungs = tuple(
        PlannedRung(video=v.name, audio="audio/aac", total_kbps=v.planned_kbps + 66.0, avq_mos=3.0 + i, vmaf=50.0)
        for i, v in enumerate(videos)
    )
    found = Delivery(
        **{"title": "film", "source": "../film.mp4", "source_hash": "0" * 64, "num_frames": 300, "fps": "24000/1001"},
        **{"scenes_s": ((0.0, 5.0), (5.0, 12.0)), "weights_s": (5.0, 7.0), "model": "attentive", "weights_sha256": ""},
        **{"ffmpeg_version": "7", "threads": 1, "language": "en", "label": "English", "audio_track": 1},
        **{"videos": videos, "audios": audios, "rungs": rungs},
    )
    path = folder / "order.json"
    write_delivery(found, path)
    return json.loads(path.read_text())


# Packages of others, and their logs.


@reader(5)
def package(rng: Random, folder: Path) -> None:
    from abr_alloc.packages.reader import read_package

    stream = folder / "hls"
    if rng.random() < 0.5:
        path = rng.choice(sorted(stream.rglob("*.m3u8")))
        data = damaged_text(rng, path.read_text(encoding="utf-8"))
    else:
        path = stream / "manifest.mpd"
        path.touch()
        data = damaged_text(rng, _MANIFEST)
    with _replaced(path, data):
        found = read_package(path)
    assert found.streams and len({s.label for s in found.streams}) == len(found.streams)
    for one in found.streams:
        assert 0.0 < one.average_kbps < math.inf and 0.0 < one.peak_kbps < math.inf and one.duration_s > 0.0
        assert all(s.media.path.resolve().is_relative_to(stream.resolve()) for s in one.segments)
        assert not set(one.label) & set("=@/ ")
    for variant in found.variants:
        assert variant.average_kbps > 0.0
        f"{found.stream(variant.video)} {variant}".encode()


_MANIFEST = """<?xml version="1.0"?>
<MPD type="static" mediaPresentationDuration="PT14S"><Period><AdaptationSet mimeType="video/mp4">
<Representation id="a" bandwidth="100000" frameRate="12"><SegmentTemplate timescale="12"
 initialization="video/64/init.mp4" media="video/64/$Number%05d$.m4s"><SegmentTimeline><S t="0" d="72" r="1"/>
<S d="24"/></SegmentTimeline></SegmentTemplate></Representation>
<Representation id="b"><BaseURL>video/96/</BaseURL><SegmentTemplate duration="6"
 initialization="init.mp4" media="0000$Number$.m4s"/></Representation></AdaptationSet><AdaptationSet contentType="audio"
 lang="en"><Representation id="c"><SegmentList timescale="1" duration="6">
<Initialization sourceURL="audio/48k/init.mp4"/>
<SegmentURL media="audio/48k/00001.m4s"/><SegmentURL media="audio/48k/00002.m4s" mediaRange="0-99"/></SegmentList>
</Representation></AdaptationSet></Period></MPD>
"""


@reader(4)
def vmaf_log(rng: Random, folder: Path) -> None:
    from abr_alloc.measure.vmaf_log import read_log

    names = ["integer_adm2", *(f"integer_vif_scale{n}" for n in range(4)), "integer_motion2", "vmaf"]
    frames = [{"frameNum": n, "metrics": dict.fromkeys(names, 0.5 + n)} for n in range(6)]
    kind = rng.randrange(3)
    if kind == 0:
        data = damaged_json(rng, {"version": "3.0.0", "fps": 5.2, "frames": frames})
    elif kind == 1:
        rows = [[str(n), *("0.5" for _ in names), ""] for n in range(6)]
        data = damaged_text(rng, "\n".join(",".join(row) for row in [["Frame", *names, ""], *rows]) + "\n")
    else:
        words = " ".join(f'{name}="0.5"' for name in names)
        rows = "".join(f'<frame frameNum="{n}" {words}/>' for n in range(6))
        data = damaged_text(rng, f'<VMAF version="3.0.0"><params a="1"/><frames>{rows}</frames></VMAF>')
    found = read_log(write(folder, "vmaf.log", data), 6)
    assert found.values.shape == (6, 7) and np.isfinite(found.values).all()
    found.libvmaf_version.encode()


@reader(7)
def delivery_record(rng: Random, folder: Path) -> None:
    from abr_alloc.formats.delivery_record import read_delivery, write_delivery

    found = read_delivery(write(folder, "delivery.json", damaged_json(rng, _delivery_document(folder))))
    assert Fraction(found.fps) > 0 and all(0 < v.asked_kbps < math.inf for v in found.videos)
    again = folder / "again.json"
    write_delivery(found, again)
    strict(again.read_text())
    assert read_delivery(again) == found


# What training keeps.


@reader(5)
def settings_file(rng: Random, folder: Path) -> None:
    import dataclasses

    from abr_alloc.learning.training import TrainingConfig, read_settings

    found = read_settings(
        write(folder, "settings.json", damaged_json(rng, dataclasses.asdict(TrainingConfig()))), "attentive"
    )
    strict(json.dumps(dataclasses.asdict(found)))
    assert found.num_steps >= 1 and found.batch_size >= 1 and found.num_members >= 1
    assert found.learning_rate > 0.0 and found.network.d_model >= 1


@reader(3)
def stored_fold(rng: Random, folder: Path) -> None:
    from abr_alloc.learning.cross_validation import _read

    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, key=np.array("k"), predicted=np.arange(9.0), ablated=np.zeros((2, 9)), weight=np.ones((2, 9))
    )
    found = _read(write(folder, "fold.npz", damaged_bytes(rng, buffer.getvalue())), "k", 9)
    assert found is None or set(found) == {"predicted", "ablated", "weight"}


@functools.cache
def _journal() -> list[bytes]:
    """The lines of a study of two trials."""
    import tempfile

    from abr_alloc.learning.training import TrainingConfig
    from abr_alloc.learning.tuning import JOURNAL, _suggest, open_study

    with tempfile.TemporaryDirectory() as folder:
        study = open_study(Path(folder), TrainingConfig())

        def objective(trial: Any) -> float:
            _suggest(trial, TrainingConfig())
            trial.report(0.5, 0)
            return 0.5

        study.optimize(objective, n_trials=2)
        return (Path(folder) / JOURNAL).read_bytes().splitlines()


@reader(1)
def journal(rng: Random, folder: Path) -> None:
    """Optuna's, which a search goes on from."""
    if importlib.util.find_spec("optuna") is None:
        return
    from abr_alloc.learning.training import TrainingConfig
    from abr_alloc.learning.tuning import JOURNAL, best_config, open_study

    lines = list(_journal())
    if rng.random() < 0.6:
        at = rng.randrange(len(lines))
        lines[at] = damaged_json(rng, json.loads(lines[at])).replace(b"\n", b"")
        data = b"\n".join(lines) + b"\n"
    else:
        data = damaged_text(rng, b"\n".join(lines).decode() + "\n")
    write(folder, JOURNAL, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best, config = best_config(open_study(folder, TrainingConfig()), TrainingConfig())
    assert math.isfinite(best.loss) and config.learning_rate > 0.0


# Options.

_RATES = (
    "500k",
    "2M",
    "0.000001k",
    "10000M",
    "10001M",
    ".5k",
    "53k",
    "99999",
    "10000",
    "1bps",
    "900kbps",
    "0.0k",
    "1e3k",
)
_SHARES = ("0", "1", "0.02", "1e-320", "5e-324", "0.9999999999999999", "1.0000000000000002", "-0.0", "1e-300")
_WHOLE = (
    "1",
    "2",
    "3",
    "24",
    "25",
    "0",
    "64",
    "256",
    "2147483648",
    "9223372036854775808",
    "1" + "0" * 400,
    "+3",
    " 3 ",
    "1_0",
)
_MOS = ("1", "5", "4.999999999999999", "2", "1e0", "3.5", "4.5", "0.9999999999999999")
# Options of commands over a table, with values at the ends of what they take.
_PLANNING = {
    **{"--overhead": _SHARES, "--scene": _WHOLE, "--min-height": _WHOLE, "--max-height": _WHOLE},
    **{"--title": ("bbb-rabbit-wakes-720p", "x"), "--video-codec": ("h264", "av1"), "--audio-codec": ("aac", "opus")},
    "--model": ("p1203", "product-fitted", "x" * 300, ".", "/", "/dev/null"),
}
_COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "plan": {
        **{"--budget": _RATES, "--max-rate": _RATES, "--min-avq": _MOS, "--per": ("scene", "title")},
        **{"--time-limit": ("5s", "1e9h", "0.000001s", "99999999999h", "1min"), "--audio": ("shared", "scene")},
        **{"--pool": ("mean", "harmonic", "min", "p5"), **_PLANNING},
    },
    "ladder": {
        **{
            "--rungs": ("auto", *_WHOLE),
            "--jnd": ("0", "4", "1e-300", "0.1"),
            "--top-avq": _MOS,
            "--max-audio": _WHOLE,
        },
        **{"--network": ("3g", "lognormal:median=1k,sigma=1e-300", "lognormal:median=10000M,sigma=1e300", "x.csv")},
        **{"--min-kbps": (*_RATES, *_WHOLE), "--max-kbps": (*_RATES, *_WHOLE), "--round": (*_RATES, *_WHOLE)},
        **{
            "--min-ratio": ("1.0000000000000002", "1e300", "1.3", "1"),
            "--max-ratio": ("1.0000000000000002", "1e308", "2.5"),
        },
        **{"--sizes": ("240p", "240p..720p,1080p", "1..99999999", "0", "720..240", "9" * 5000, "0..0,240")},
        **{"--compare": ("apple-hls-avc", "apple-hls-hevc", "x.json", "x" * 300 + ".json"), **_PLANNING},
    },
    "relevance": {"--budget": _RATES, **_PLANNING},
}


@reader(2)
def options(rng: Random, folder: Path) -> None:
    from abr_alloc.cli.options import BITRATE, KBPS, SECONDS

    text = rng.choice(rng.choice((TOKENS, NUMBERS))) + rng.choice(("", "k", "M", "s", "%"))
    if rng.random() < 0.3:
        text = damaged_text(rng, rng.choice(("500k", "2.5M", "1.5min", "rate=5%,avq=0.1"))).decode("utf-8", "replace")
    text = text.replace("\0", "")  # no command line holds one
    for kind in (BITRATE, KBPS, SECONDS):
        with contextlib.suppress(click.UsageError):
            assert 0.0 < kind.convert(text, None, None) < math.inf
    if rng.random() < 0.1:
        run("verify", folder / "none", "--tolerance", text)
        return
    name = rng.choice(sorted(_COMMANDS))
    known = _COMMANDS[name]
    words = {rng.choice(sorted(known)): text} if rng.random() < 0.3 else {}
    for _ in range(rng.choice((1, 1, 2, 3))):
        option = rng.choice(sorted(known))
        words.setdefault(option, rng.choice(known[option]))
    if name == "plan":
        words.setdefault("--budget", "900k")
        if words.keys() & {"--pool", "--audio", "--time-limit"}:
            words.setdefault("--per", "title")
    words.setdefault("--model", "product-fitted")
    table = folder / "sound.parquet"
    if not table.exists():
        table.write_bytes(sound_bytes())
    document = strict(run(name, table, "--json", *(f"{option}={value}" for option, value in words.items())))
    if name == "plan":
        budget = BITRATE.convert(words["--budget"], None, None)
        check_plan(document, budget, per_title=words.get("--per") == "title")
