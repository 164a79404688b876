"""A delivery's folder: whole streams alone stand in it, one process works in it, and an interruption harms nothing."""

from __future__ import annotations

import dataclasses
import errno

import pytest

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.disk import disk_errors
from abr_alloc.errors import DeliveryError, OutputError, ToolFailedError
from abr_alloc.formats.delivery_record import read_delivery, write_delivery


@pytest.fixture
def folder(tmp_path) -> DeliveryFolder:
    return DeliveryFolder(tmp_path / "out")


def make_stream(place, word="new"):
    place.mkdir(parents=True)
    (place / "init.mp4").write_text(word)


def finish(folder, order):
    """As `publish` ends."""
    folder.root.mkdir(exist_ok=True)
    write_delivery(order, folder.record)
    folder.master.write_text("#EXTM3U")


def test_a_new_or_empty_folder_takes_any_order(folder, order):
    assert folder.open(order) == (order, False)
    folder.root.mkdir()
    (folder.root / ".DS_Store").write_text("")  # systems write it into every folder
    assert folder.open(order) == (order, False)


def test_an_unfinished_order_is_gone_on_with_as_it_stands(folder, order):
    refined = order.with_video(dataclasses.replace(order.videos[0], asked_kbps=90.0))
    with folder.begun(refined):
        make_stream(folder.root / order.videos[0].name)
    assert folder.open(order) == (refined, False)
    with pytest.raises(
        DeliveryError, match="holds a delivery with another language; choose another `output`, or empty it"
    ):
        folder.open(dataclasses.replace(order, language="de"))


def test_an_unfinished_order_of_which_nothing_is_finished_stands_in_no_others_way(folder, order):
    with folder.begun(order):
        pass
    other = dataclasses.replace(order, language="de")
    assert folder.open(other) == (other, False)


def test_a_finished_order_is_finished_and_no_other_is_taken(folder, order):
    finish(folder, order)
    assert folder.open(order) == (order, True)
    with pytest.raises(DeliveryError, match="holds a delivery with another ladder"):
        folder.open(dataclasses.replace(order, title="other"))


def test_a_record_without_its_master_playlist_is_not_finished(folder, order):
    """The master playlist is written last: a run was cut off just before."""
    finish(folder, order)
    folder.master.unlink()
    with folder.begun(order):
        pass
    assert folder.open(order) == (order, False)


def test_what_is_foreign_is_refused(folder, order):
    folder.root.mkdir()
    (folder.root / "film.mp4").touch()
    with pytest.raises(DeliveryError, match="is not empty"):
        folder.open(order)


def test_one_process_holds_a_folder(folder, order):
    with folder.begun(order), pytest.raises(DeliveryError, match="another abr-alloc is at work"):
        folder.begun(order).__enter__()
    with folder.begun(order):
        pass


def test_half_done_work_is_gone_when_a_folder_is_held_again(folder, order):
    with pytest.raises(KeyboardInterrupt), folder.begun(order), folder.work_dir() as work:
        (work / "half.mp4").touch()
        raise KeyboardInterrupt
    assert not work.exists()
    (work.parent / "killed").mkdir()
    with folder.begun(order):
        assert not work.parent.exists()


def test_a_stream_is_there_once_it_is_accepted(folder, order, tmp_path):
    with folder.begun(order):
        assert not folder.has("video/a")
        make_stream(tmp_path / "cut")
        folder.accept(tmp_path / "cut", "video/a")
        assert folder.has("video/a")
        assert not (tmp_path / "cut").exists()
        make_stream(tmp_path / "cut")
        folder.accept(tmp_path / "cut", "video/b", below=folder.refined)
        assert not folder.has("video/b")
        folder.forget_refined()
        assert not folder.refined.exists()
    folder.finish()
    assert sorted(path.name for path in folder.root.iterdir()) == ["video"]


@pytest.mark.parametrize("failing", ["nothing", "write_delivery", "rename"])
def test_an_exchange_that_is_cut_off_leaves_no_stream_that_the_note_is_false_of(failing, folder, order, monkeypatch):
    """Either the old stream with the old note, or the new with the new; or none, which is then encoded again."""
    refined = order.with_video(dataclasses.replace(order.videos[0], asked_kbps=90.0))
    finish(folder, order)
    make_stream(folder.root / "video" / "a", "old")
    make_stream(folder.refined / "video" / "a")
    note = folder.root / ".abr-alloc" / "delivery.json"

    def stop(*_):
        raise KeyboardInterrupt

    with folder.begun(order):
        folder.unpublish()
        assert not folder.master.exists()
        if failing == "write_delivery":
            monkeypatch.setattr("abr_alloc.delivery.folder.write_delivery", stop)
        if failing == "rename":
            rename = type(folder.root).rename
            monkeypatch.setattr(
                type(folder.root), "rename", lambda a, b: stop() if "refined" in a.parts else rename(a, b)
            )
        if failing == "nothing":
            folder.exchange("video/a", refined)
        else:
            with pytest.raises(KeyboardInterrupt):
                folder.exchange("video/a", refined)
    asked = read_delivery(note).videos[0].asked_kbps
    if failing == "nothing":
        assert ((folder.root / "video" / "a" / "init.mp4").read_text(), asked) == ("new", 90.0)
    else:
        assert not folder.has("video/a")
        assert asked == (100.0 if failing == "write_delivery" else 90.0)
    assert folder.open(order)[1] is False


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ToolFailedError(["ffmpeg"], 228, "av_interleaved_write_frame(): No space left on device"),
        ToolFailedError(["ffmpeg"], -25, ""),
    ],
    ids=["write", "quota", "ffmpeg", "limit"],
)
def test_a_full_disk_is_told_as_one_whoever_meets_it(error, tmp_path):
    with (
        pytest.raises(OutputError, match="takes no more; make room and run the same command again"),
        disk_errors(tmp_path),
    ):
        raise error


def test_a_record_that_no_longer_fits_is_told_as_a_full_disk(folder, order, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", refuse)
        with pytest.raises(OutputError, match="takes no more; make room"):
            folder.begun(order).__enter__()
    assert folder.open(order) == (order, False)  # and the same command goes on


def test_other_errors_are_told_as_what_they_are(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: Permission denied; choose"), disk_errors(tmp_path):
        raise OSError(errno.EACCES, "Permission denied")
    with pytest.raises(ToolFailedError), disk_errors(tmp_path):
        raise ToolFailedError(["ffmpeg"], 1, "Unknown encoder")


def test_a_folder_that_cannot_be_made_is_told(order, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written: Not a directory"):
        DeliveryFolder(tmp_path / "file" / "out").begun(order).__enter__()
