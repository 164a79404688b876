"""Master and media playlists as others write them, and what is refused, each in one line that says where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from abr_alloc.errors import PackageError
from abr_alloc.packages.reader import read_package

VIDEO = "#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,RESOLUTION=96x64,FRAME-RATE=12.000"

KEY = '#EXT-X-KEY:METHOD={},URI="k"'


@pytest.fixture
def folder(hls, tmp_path) -> Path:
    """A copy of a package: videos in s0 and s1, sounds in s2 and s3."""
    return Path(shutil.copytree(hls.parent, tmp_path / "package"))


@pytest.fixture
def master(folder) -> Callable[..., Path]:
    def write(*lines: str, name: str = "master.m3u8") -> Path:
        path = folder / name
        path.write_text("\n".join(["#EXTM3U", *lines, ""]))
        return path

    return write


def audio(name: str, uri: str | None, more: str = "", group: str = "a") -> str:
    where = f',URI="{uri}"' if uri else ""
    return f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}"{more}{where}'


def test_variants_say_what_is_declared_and_play_the_default_of_their_group(master):
    found = read_package(
        master(
            audio("Deutsch", "s3/index.m3u8", ',LANGUAGE="de"'),
            audio("English", "s2/index.m3u8", ',LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES'),
            '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="x",URI="none.m3u8"',
            f'{VIDEO},AUDIO="a"',
            "s0/index.m3u8",
            VIDEO.replace("96x64", "144x96"),
            "./s1/../s1/index.m3u8",
            '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="none.m3u8"',
        )
    )
    assert [(stream.label, stream.language) for stream in found.streams] == [
        ("s0", ""),
        ("s1", ""),
        ("s3", "de"),
        ("s2", "en"),
    ]
    first, second = found.variants
    assert (first.video, first.audio, first.name) == ("s0", "s2", f"{found.path}:5")
    assert (first.declared_peak_kbps, first.declared_average_kbps) == (200.0, 150.0)
    assert (first.width_px, first.height_px, first.fps) == (96, 64, 12.0)
    assert (second.video, second.audio) == ("s1", None)
    assert found.notes == ("I-frame playlists are left out", "renditions of type SUBTITLES are left out")


def test_labels_are_what_tells_playlists_apart(master, folder):
    for name in ("video/360p@2", "video/720p=x"):
        shutil.copytree(folder / "s0", folder / name)
    shutil.copy(folder / "s0" / "index.m3u8", folder / "s0" / "other.m3u8")
    shutil.copytree(folder / "s1", folder / "video" / "360p_2")
    paths = ("video/360p@2/index.m3u8", "video/720p%3Dx/index.m3u8", "video/360p_2/index.m3u8")
    lines = [line for n, path in enumerate(paths) for line in (VIDEO.replace("200000", str(200000 + n)), path)]
    found = read_package(master(*lines))
    # Nothing that a target of a table could be taken for: neither = nor @.
    assert [stream.label for stream in found.streams] == ["360p_2", "720p_x", "360p_2_2"]
    found = read_package(master(VIDEO, "s0/index.m3u8", VIDEO.replace("200000", "9"), "s0/other.m3u8"))
    assert [stream.label for stream in found.streams] == ["index", "other"]


def test_a_redundant_variant_is_left_out_and_one_that_only_looks_like_it_is_not(master, folder):
    shutil.copytree(folder / "s0", folder / "backup")
    found = read_package(master(VIDEO, "s0/index.m3u8", VIDEO + ',PATHWAY-ID="b"', "backup/index.m3u8"))
    assert [variant.video for variant in found.variants] == ["s0"]
    assert [stream.label for stream in found.streams] == ["s0"]
    assert found.notes == ("backup is left out: a redundant variant of s0",)
    found = read_package(master(VIDEO, "s0/index.m3u8", VIDEO, "s1/index.m3u8"))
    assert [variant.video for variant in found.variants] == ["s0", "s1"]


def test_a_variant_of_audio_alone_is_a_stream_and_no_rung(master):
    found = read_package(
        master(VIDEO, "s0/index.m3u8", '#EXT-X-STREAM-INF:BANDWIDTH=40000,CODECS="mp4a.40.2"', "s2/index.m3u8")
    )
    assert [variant.video for variant in found.variants] == ["s0"]
    assert [stream.kind for stream in found.streams] == ["video", "audio"]
    assert found.notes == ("s2 is a variant of audio alone, and no rung",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([VIDEO, "https://cdn.example/s0.m3u8"], r"master.m3u8:2: 'https://.*' is a URL, and only files are read"),
        ([VIDEO, "//cdn.example/s0.m3u8"], "is a URL"),
        ([VIDEO, "file:///etc/passwd"], "is a URL"),
        ([VIDEO, "/etc/passwd"], "is no path relative to it"),
        ([VIDEO, "../../x.m3u8"], "leads out of the folder .* allow a folder above it with `within`"),
        ([VIDEO, "s9/index.m3u8"], r"s9/index.m3u8 does not exist; is the package whole"),
        ([VIDEO, "s0"], "is no regular file"),
        ([VIDEO, "master.m3u8"], "is a master playlist that another one names as a stream"),
        ([VIDEO], "names no variant"),
        ([f'{VIDEO},AUDIO="b"', "s0/index.m3u8"], "no EXT-X-MEDIA has the GROUP-ID 'b'"),
        ([audio("x", "http://h/a.m3u8"), VIDEO, "s0/index.m3u8"], "master.m3u8:2: 'http://h/a.m3u8' is a URL"),
        (['#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"', VIDEO, "s0/index.m3u8"], "is encrypted"),
        (['#EXT-X-DEFINE:NAME="a",VALUE="b"', VIDEO, "{$a}.m3u8"], "has variables"),
    ],
)
def test_a_master_that_leads_nowhere_good_is_refused(master, lines, message):
    with pytest.raises(PackageError, match=message) as caught:
        read_package(master(*lines))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("#EXT-X-ENDLIST", ""), "has no EXT-X-ENDLIST, as of a live stream"),
        (lambda t: t.replace("#EXT-X-MAP", f"{KEY.format('AES-128')}\n#EXT-X-MAP"), r":\d+: segments are encrypted"),
        (lambda t: t.replace("#EXT-X-MAP", f"{KEY.format('SAMPLE-AES')}\n#EXT-X-MAP"), "segments are encrypted"),
        (lambda t: t.replace("#EXTINF:1.000000,", "#EXTINF:,", 1), "has no EXTINF that can be read"),
        (lambda t: t.replace("#EXTM3U", "#EXTM3U\n#EXT-X-I-FRAMES-ONLY"), "holds key frames alone"),
        (lambda t: t.replace("#EXTINF", "#EXT-X-GAP\n#EXTINF", 1), "has gaps"),
        (lambda t: t.replace("#EXTINF", "#EXT-X-BYTERANGE:100\n#EXTINF", 1), "no range of .* goes before it"),
        (lambda t: t.replace("#EXTINF", "#EXT-X-BYTERANGE:9999999@0\n#EXTINF", 1), "9999999 from byte 0 on are asked"),
        (lambda t: t.replace('"init_0.mp4"', '"init_0.mp4",BYTERANGE="x"'), "BYTERANGE of EXT-X-MAP"),
        (lambda t: "\n".join(line for line in t.split("\n") if "MAP" not in line), "names no initialisation segment"),
        (lambda t: t.replace('"init_0.mp4"', '"../master.m3u8"'), "first segment cannot be read"),
        (lambda t: t[: t.index("#EXTINF")] + "#EXT-X-ENDLIST", "names no segment"),
        (
            lambda t: t.replace("#EXTINF", '#EXT-X-MAP:URI="../s1/init_1.mp4"\n#EXTINF').replace(
                "#EXT-X-MAP", "#EXT-X-IGNORED", 1
            ).replace('#EXT-X-MAP:URI="../s1/init_1.mp4"', '#EXT-X-MAP:URI="init_0.mp4"', 1),
            "another EXT-X-MAP applies without EXT-X-DISCONTINUITY",
        ),
    ],
)  # fmt: skip
def test_a_media_playlist_that_cannot_be_read_exactly_is_refused(folder, change, message):
    path = folder / "s0" / "index.m3u8"
    path.write_text(change(path.read_text()))
    with pytest.raises(PackageError, match=message) as caught:
        read_package(folder / "s0" / "index.m3u8", within=folder)
    assert "\n" not in str(caught.value)


def test_an_encrypted_initialisation_segment_is_refused_whatever_the_playlist_says(folder):
    init = folder / "s0" / "init_0.mp4"
    init.write_bytes(init.read_bytes().replace(b"avc1", b"encv"))
    with pytest.raises(PackageError, match="is encrypted"):
        read_package(folder / "s0" / "index.m3u8")


def test_nothing_leads_out_of_the_folder_unless_it_is_allowed(folder, tmp_path):
    """A link counts by where it leads."""
    (folder / "media").mkdir()
    segments = sorted((folder / "s0").glob("*.m4s"))
    segments[0].rename(tmp_path / "secret.m4s")
    segments[0].symlink_to(tmp_path / "secret.m4s")
    with pytest.raises(PackageError, match="leads out of the folder"):
        read_package(folder / "master.m3u8")
    assert read_package(folder / "master.m3u8", within=tmp_path).streams
    segments[0].unlink()
    segments[0].symlink_to(segments[0])
    with pytest.raises(PackageError, match=r"leads out of the folder|cannot be read|does not exist"):
        read_package(folder / "master.m3u8", within=tmp_path)
    with pytest.raises(PackageError, match="leads out of the folder"):
        read_package(folder / "master.m3u8", within=folder / "media")


def test_a_playlist_that_ends_anywhere_is_refused_or_read(folder):
    """Every prefix of every playlist: one line, or a package."""
    for path in (folder / "master.m3u8", folder / "s0" / "index.m3u8"):
        data = path.read_bytes()
        for end in range(0, len(data), 11):
            path.write_bytes(data[:end])
            try:
                assert read_package(path).streams
            except PackageError as error:
                assert "\n" not in str(error)
        path.write_bytes(data)
