"""Encrypt a folder of `abr-alloc encode --single-file` with Shaka Packager and one raw key; the pairs stay as they are.

    python examples/encrypt.py stream encrypted --key-id HEX --key HEX --key-uri https://keys.example.com/film.key

The packager writes playlists and manifest beside the encrypted files; its own master playlist, `packager.m3u8`, pairs
every video with every audio. `master.m3u8` is the one of the folder, with the packager's names and rates.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from pathlib import Path

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
RATES = ("BANDWIDTH", "AVERAGE-BANDWIDTH")
VARIANTS = ("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF")
SEGMENT_S, FRAGMENT_S = 6, 2
"""Of `encode`, where nothing else was asked: a fragment is a group of pictures."""


def flat(uri: str) -> str:
    """`video/640x360-900k/index.m3u8` as `video-640x360-900k.m3u8`: the packager writes %2F for what is in folders."""
    folder, _, name = uri.rpartition("/")
    if not folder.startswith(("video/", "audio/")):
        return uri  # subtitles, which are copied
    return folder.replace("/", "-") + ("-iframes" if name == "iframes.m3u8" else "") + ".m3u8"


def attributes(line: str) -> dict[str, str]:
    """Of a tag, without quotes."""
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(line)}


def command(stream: Path, output: Path, about: argparse.Namespace) -> list[str | Path]:
    """Words for the packager: a descriptor per rendition, then what holds for all."""
    words: list[str | Path] = [about.packager]
    tags = map(attributes, (stream / "master.m3u8").read_text().splitlines())
    languages = {flat(tag["URI"]): tag["LANGUAGE"] for tag in tags if "URI" in tag and "LANGUAGE" in tag}
    for kind in ("video", "audio"):
        for folder in sorted((stream / kind).iterdir()):
            name = f"{kind}-{folder.name}"
            own = f"hls_group_id={name}" if kind == "audio" else f"iframe_playlist_name={name}-iframes.m3u8"
            language = languages.get(f"{name}.m3u8", "und")
            own += f",lang={language}" if language != "und" else ""
            files = f"in={folder / 'media.mp4'},out={output / name}.mp4,playlist_name={name}.m3u8"
            words.append(f"{files},stream={kind},{own}")
    words += ["--protection_scheme", about.scheme, "--enable_raw_key_encryption", "--clear_lead", "0"]
    words += ["--keys", f"label=:key_id={about.key_id}:key={about.key}", "--hls_key_uri", about.key_uri]
    words += ["--segment_duration", str(about.segment), "--fragment_duration", str(about.gop)]
    words += ["--hls_playlist_type", "VOD", "--hls_master_playlist_output", output / "packager.m3u8"]
    return [*words, "--mpd_output", output / "manifest.mpd"]


def rates_of(playlist: str) -> dict[tuple[str, str], dict[str, int]]:
    """The rates of every variant of a master playlist, by its URI and audio group."""
    lines, found = playlist.splitlines(), {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(VARIANTS):
            has = attributes(line)
            rates = {name: int(has[name]) for name in RATES if name in has}
            found[has.get("URI", after), has.get("AUDIO", "")] = rates
    return found


def paired(ours: str, packager: str) -> str:
    """Our master playlist over the packager's media playlists."""
    rates, lines = rates_of(packager), ours.splitlines()
    tags = [attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO")]
    for at, line in enumerate(lines):
        line = re.sub(r'URI="([^"]*)"', lambda match: f'URI="{flat(match[1])}"', line)
        if line and not line.startswith("#"):
            line = flat(line)
        elif line.startswith(VARIANTS):
            has = attributes(line)
            uri = has["URI"] if "URI" in has else flat(lines[at + 1])
            # To the packager every rendition is a group of its own: the largest sum is that with one of our group.
            group = [flat(tag["URI"]).removesuffix(".m3u8") for tag in tags if tag["GROUP-ID"] == has.get("AUDIO")]
            sums = [rates[uri, name] for name in group or [""] if (uri, name) in rates]
            for name in RATES if sums else ():
                line = re.sub(rf"(?<![A-Z-]){name}=\d+", f"{name}={max(one[name] for one in sums)}", line)
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
    if (about.stream / "subtitles").is_dir():
        shutil.copytree(about.stream / "subtitles", about.output / "subtitles", dirs_exist_ok=True)
    if about.scheme == "cbcs":  # of cenc the packager's playlists do not say that it is encrypted: it is for DASH
        pairs = paired((about.stream / "master.m3u8").read_text(), (about.output / "packager.m3u8").read_text())
        (about.output / "master.m3u8").write_text(pairs)


if __name__ == "__main__":
    main()
