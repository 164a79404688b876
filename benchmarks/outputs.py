"""Everything that the commands write, in a folder: run it before and after a change that must not change a result.

    python benchmarks/outputs.py /tmp/before          # at the old commit
    python benchmarks/outputs.py /tmp/after           # at the new one
    diff -r /tmp/before /tmp/after

Standard output, standard error and exit code of every command are files too. A clip path in an SVG has a random name.
`--media` also synthesises a title, measures it (whole, as a digest, and with probes chosen), encodes a ladder of it,
lints and verifies that (some minutes).
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "clip_features.parquet"

PLANNING = """
plan t.parquet --budget 300k --budget 2000k
plan t.parquet --budget 300k --budget 2000k --json
plan t.parquet --budget 300k --budget 50k --csv
plan t.parquet --budget 300k -o plan.parquet
plan t.parquet --budget 300k -o plan.csv
plan t.parquet --budget 300k -o plan.txt
plan t.parquet --budget 300k --per title
plan t.parquet --budget 300k --per title --json
plan t.parquet --budget 400k --per title --pool min --max-rate 900k --min-avq 2 --audio scene --csv
plan t.parquet --budget 400k --per title --pool p5 --measured-only --json
plan t.parquet --budget 20k
plan t.parquet --budget 400k --min-avq 4.9
plan t.parquet --sensitivity
plan t.parquet --sensitivity --json
plan t.parquet --sensitivity --csv
plan t.parquet --sensitivity -o split.svg
plan t.parquet --budget 300k --model p1203 --overhead 0.05 --json
plan t.parquet --budget 300k --max-height 360 --audio-codec aac --json
plan t.parquet --budget 300k --title nobody
plan tables --budget 300k
plan tables --budget 300k --csv
plan tables --budget 300k --json
plan tables --budget 300k --budget 30k -o plans.parquet --jobs 2
plan tables --budget 30k -o plans.csv
plan tables --budget 300k --per title -o titles.csv
plan tables --budget 300k -o plans.txt
plan "tables/*.parquet" --budget 300k --scene 0
ladder t.parquet
ladder t.parquet --rungs auto
ladder t.parquet --json
ladder t.parquet --csv
ladder t.parquet --title bbb-rabbit-wakes-720p --rungs 4 --max-audio 1 --min-ratio 1.5 --round 25k -o l.json
ladder t.parquet --rungs auto --jnd 0.2 --sizes 240p..720p --max-kbps 2M --top-avq 4 --json
ladder t.parquet -o l.csv
ladder t.parquet -o l.parquet
ladder t.parquet --compare apple-hls-avc --network 4g -o compared.json
ladder t.parquet --compare l.json --rungs auto
ladder t.parquet --shared --compare apple-hls-avc
ladder t.parquet --rungs 24
ladder t.parquet --min-kbps 3M --max-kbps 2M
ladder tables
ladder tables --csv
ladder tables --shared --json
ladder tables -o ladders
ladder tables -o ladders.parquet --jobs 2
ladder tables -o ladders.csv
relevance t.parquet
relevance t.parquet --json
relevance t.parquet --budget 300k -o relevance.svg
relevance t.parquet --budget 300k -o relevance.csv
relevance t.parquet -o relevance.parquet
relevance t.parquet -o relevance.json
relevance tables
relevance tables -o all.csv
report t.parquet -o report.html --budget 300k --ladder compared.json
report tables/a.parquet -o report2.html --measured-only
figure relevance t.parquet -o f-relevance.svg --with-equations
figure surface t.parquet -o f-surface.svg --budget 300k
figure ladder t.parquet -o f-ladder.svg --ladder l.json
figure split t.parquet -o f-split.svg
export l.json --format hls
export l.json --format dash -o l.mpd
export l.json --format ffmpeg
export l.json --format mediaconvert
export l.json --format shaka-streamer -o shaka
export compared.json --format csv
evaluate attentive t.parquet
evaluate svr-7f t.parquet --json
"""

MEDIA = """
extract clip.mp4 -o m.parquet --grid grid.toml --cache cache --jobs 2
extract clip.mp4 -o digest.parquet --grid grid.toml --cache cache --digest 4s --jobs 2
extract clip.mp4 -o probed.parquet --grid quick --cache cache --probes auto --preset ultrafast --jobs 2
extract clip.mp4 other.mp4 -o measured --grid grid.toml --cache cache --audio-codec opus --jobs 2
plan m.parquet --budget 200k --json
ladder m.parquet --rungs 2 --min-ratio 1.1 -o m.json
encode clip.mp4 --ladder m.json -o delivered --cache cache --jobs 2
lint delivered
lint delivered --json
verify delivered --cache cache --jobs 2 --tolerance rate=90%,avq=3
verify delivered --cache cache --jobs 2 --tolerance rate=90%,avq=3 --json
report m.parquet --source clip.mp4 --ladder m.json -o report-m.html
"""

GRID = """
[video]
sizes = [90, 180]
[video.crf]
h264 = [24, 30, 38]
[audio]
codecs = ["aac"]
aac = ["32k", "96k"]
opus = ["32k"]
"""


def run(commands: str, folder: Path) -> None:
    """Run each command in the folder; what it says goes to files that are named by its place in the list."""
    entry = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
    for line in commands.strip().splitlines():
        done = subprocess.run([*entry, *shlex.split(line)], cwd=folder, capture_output=True, env=environment())
        name = "".join(c if c.isalnum() else "-" for c in line)[:90]
        said = b"%b\n-- stderr --\n%b\n-- exit code %d --\n" % (done.stdout, done.stderr, done.returncode)
        (folder / f"{name}.said").write_bytes(said)
        print(f"{done.returncode}  {line}", flush=True)


def environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "SOURCE_DATE_EPOCH": "0"}


def make_tables(folder: Path) -> None:
    """The example as one table, and split into three of which two have several titles."""
    shutil.copy(EXAMPLE, folder / "t.parquet")
    (folder / "tables").mkdir()
    (folder / "ladders").mkdir()
    table = pq.read_table(EXAMPLE)
    titles = sorted(set(table["title"].to_pylist()))
    for name, of_table in {"a": titles[:1], "b": titles[1:3], "c": titles[3:]}.items():
        pq.write_table(
            table.filter(pc.is_in(table["title"], pa.array(of_table))), folder / "tables" / f"{name}.parquet"
        )


def make_media(folder: Path) -> None:
    (folder / "grid.toml").write_text(GRID)
    (folder / "measured").mkdir()
    from abr_alloc.media.ffmpeg import find_ffmpeg

    picture = "mandelbrot=size=320x180:rate=24:maxiter=200"
    sources = {"clip": f"{picture},trim=duration=8", "other": "testsrc2=size=320x180:rate=25:duration=3"}
    for name, source in sources.items():
        sound = "anoisesrc=d=8:c=pink:r=48000:a=0.2:seed=1"
        words = ["-f", "lavfi", "-i", source, "-f", "lavfi", "-i", sound, "-shortest", "-c:v", "libx264", "-crf", "12"]
        words += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "192k", "-threads", "1"]
        subprocess.run([find_ffmpeg(None).path, "-v", "error", *words, folder / f"{name}.mp4"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--media", action="store_true", help="measure, encode and verify too")
    parser.add_argument("--only-media", action="store_true", help="that alone")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    make_tables(options.folder)
    if not options.only_media:
        run(PLANNING, options.folder)
    if options.media or options.only_media:
        make_media(options.folder)
        run(MEDIA, options.folder)
        shutil.rmtree(options.folder / "cache")


if __name__ == "__main__":
    main()
