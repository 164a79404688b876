"""Encrypt a folder of `abr-alloc encode --single-file` with Shaka Packager and one raw key; the pairs stay as they are.

    python examples/encrypt.py stream encrypted --key-id HEX --key HEX --key-uri https://keys.example.com/film.key

The packager writes playlists and manifest beside the encrypted files; its own master playlist, `packager.m3u8`, pairs
every video with every audio. `master.m3u8` is the one of the folder, with the packager's names and rates.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from pathlib import Path

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
RATES = ("BANDWIDTH", "AVERAGE-BANDWIDTH")
SEGMENT_S, FRAGMENT_S = 6, 2
"""Of `encode`, where nothing else was asked: a fragment is a group of pictures."""


def flat(uri: str) -> str:
    """`video/640x360-900k/index.m3u8` as `video-640x360-900k.m3u8`: the packager writes %2F for what is in folders."""
    folder, _, name = uri.rpartition("/")
    return folder.replace("/", "-") + ("-iframes" if name == "iframes.m3u8" else "") + ".m3u8"


def command(stream: Path, output: Path, about: argparse.Namespace) -> list[str | Path]:
    """Words for the packager: a descriptor per rendition, then what holds for all."""
    words: list[str | Path] = [about.packager]
    for kind in ("video", "audio"):
        for folder in sorted((stream / kind).iterdir()):
            name = f"{kind}-{folder.name}"
            own = f"hls_group_id={name}" if kind == "audio" else f"iframe_playlist_name={name}-iframes.m3u8"
            files = f"in={folder / 'media.mp4'},out={output / name}.mp4,playlist_name={name}.m3u8"
            words.append(f"{files},stream={kind},{own}")
    words += ["--protection_scheme", about.scheme, "--enable_raw_key_encryption", "--clear_lead", "0"]
    words += ["--keys", f"label=:key_id={about.key_id}:key={about.key}", "--hls_key_uri", about.key_uri]
    words += ["--segment_duration", str(about.segment), "--fragment_duration", str(about.gop)]
    words += ["--hls_playlist_type", "VOD", "--hls_master_playlist_output", output / "packager.m3u8"]
    return [*words, "--mpd_output", output / "manifest.mpd"]


def rates_of(playlist: str) -> dict[tuple[str, str], dict[str, str]]:
    """The rates of every variant of a master playlist, by its URI and audio group."""
    lines, found = playlist.splitlines(), {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF")):
            has = dict(ATTRIBUTE.findall(line))
            key = (has.get("URI", after).strip('"'), has.get("AUDIO", ""))
            found[key] = {name: has[name] for name in RATES if name in has}
    return found


def paired(ours: str, packager: str) -> str:
    """Our master playlist over the packager's media playlists."""
    rates, lines = rates_of(packager), ours.splitlines()
    for at, line in enumerate(lines):
        line = re.sub(r'URI="([^"]*)"', lambda match: f'URI="{flat(match[1])}"', line)
        if line and not line.startswith("#"):
            line = flat(line)
        elif line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF")):
            has = dict(ATTRIBUTE.findall(line))
            uri = has["URI"].strip('"') if "URI" in has else flat(lines[at + 1])
            for name, rate in rates.get((uri, has.get("AUDIO", "")), {}).items():
                line = re.sub(rf"(?<![A-Z-]){name}=\d+", f"{name}={rate}", line)
        lines[at] = line
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scheme", choices=("cbcs", "cenc"), default="cbcs")
    parser.add_argument("--key-id", required=True, help="32 hexadecimal digits")
    parser.add_argument("--key", required=True, help="32 hexadecimal digits")
    parser.add_argument("--key-uri", required=True, help="where HLS players ask for the key")
    parser.add_argument("--segment", type=float, default=SEGMENT_S, help="seconds, as of encode --segment")
    parser.add_argument("--gop", type=float, default=FRAGMENT_S, help="seconds, as of encode --gop")
    parser.add_argument("--packager", default=os.environ.get("PACKAGER", "packager"))
    about = parser.parse_args()
    subprocess.run(command(about.stream, about.output, about), check=True)
    if about.scheme == "cbcs":  # of cenc the packager's playlists do not say that it is encrypted: it is for DASH
        pairs = paired((about.stream / "master.m3u8").read_text(), (about.output / "packager.m3u8").read_text())
        (about.output / "master.m3u8").write_text(pairs)


if __name__ == "__main__":
    main()
