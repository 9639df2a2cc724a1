"""Files appear whole and stay: one contract for a folder, a bucket, and a bucket whose server fails one time in ten."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.core.errors import BadInput
from detector.storage import Store, StoreAway, open_store

pytest_plugins = ["bucket_fixture"]


@pytest.fixture(params=["folder", "bucket", "failing bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(tmp_path / "store")
    bucket = request.getfixturevalue("bucket")
    bucket.failing.fail(0.1 if request.param == "failing bucket" else 0.0)
    return open_store(bucket.url)


def contents(store: Store) -> dict[str, bytes]:
    return {file.name: store.read(file.name) for file in store.files()}


def published(store: Store, folder: str, files: dict[str, bytes]) -> None:
    with store.unfinished(folder) as unfinished:
        for name, content in files.items():
            (unfinished / name).write_bytes(content)
        store.publish(unfinished, folder, last="last")


def break_off(store: Store) -> None:
    with store.unfinished("2026-01-08/p001/0f") as unfinished:
        (unfinished / "one").write_bytes(b"half")
        raise KeyboardInterrupt


def test_what_is_read_is_what_was_written_last(store: Store) -> None:
    store.write("camera=p001/a.parquet", b"one")
    store.write("camera=p001/a.parquet", b"another")
    store.write("camera=p001/b.parquet", b"")
    assert contents(store) == {"camera=p001/a.parquet": b"another", "camera=p001/b.parquet": b""}
    assert store.names("camera=p001") == ["a.parquet", "b.parquet"]
    assert [file.size_bytes for file in store.files()] == [7, 0]
    now = datetime.now(UTC)
    assert all(abs(now - file.written) < timedelta(minutes=10) for file in store.files())


def test_a_file_can_be_read_bit_by_bit(store: Store) -> None:
    content = bytes(range(256)) * 40_000
    store.write("a/large", content)
    with store.reading("a/large") as file:
        assert (file.read(3), file.read()) == (content[:3], content[3:])


def test_what_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("nowhere/nothing")
    with pytest.raises(FileNotFoundError), store.reading("nowhere/nothing"):
        pass
    assert store.names("nowhere") == []
    assert list(store.files()) == []
    with store.as_folder("nowhere") as folder:
        assert not (folder / "nothing").exists()


def test_a_published_folder_holds_those_files_and_no_others(store: Store) -> None:
    place = "2026-01-08/p001/0f"
    published(store, place, {"one": b"1", "two": b"2", "last": b"12"})
    published(store, place, {"two": b"zwei", "three": b"drei", "last": b"23"})
    assert store.names(place) == ["last", "three", "two"]
    assert contents(store) == {f"{place}/two": b"zwei", f"{place}/three": b"drei", f"{place}/last": b"23"}
    with store.as_folder(place) as folder:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "two": b"zwei", "three": b"drei", "last": b"23",
        }  # fmt: skip


def test_what_was_not_published_is_not_there(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(store)
    assert list(store.files()) == []


def test_a_reader_never_sees_a_folder_with_its_last_file_and_without_another(store: Store) -> None:
    place, over, seen = "2026-01-08/p001/0f", threading.Event(), []

    def read() -> None:
        while not over.is_set():
            try:
                wanted = store.read(f"{place}/last").decode().split()
            except FileNotFoundError:
                continue
            seen.append(set(wanted) - set(store.names(place)))

    reader = threading.Thread(target=read)
    reader.start()
    published(store, place, {f"still-{number}": b"picture" for number in range(6)} | {
        "last": " ".join(f"still-{number}" for number in range(6)).encode()
    })  # fmt: skip
    for _ in range(50):
        if seen:
            break
        over.wait(0.1)
    over.set()
    reader.join()
    assert seen
    assert not any(seen)


def test_files_and_folders_are_removed_and_may_be_removed_again(store: Store) -> None:
    for name in ("a/b/one", "a/b/two", "a/c/three"):
        store.write(name, b"x")
    for _ in range(2):
        store.remove("a/c/three")
        store.remove("a/b")
    assert list(store.files()) == []


def test_a_store_can_be_made_ready_whatever_is_in_it(store: Store) -> None:
    store.write("a/b/one", b"x")
    store.make_ready()
    assert contents(store) == {"a/b/one": b"x"}


def test_a_look_whether_a_store_can_be_written_to_leaves_nothing_in_it(store: Store) -> None:
    store.check()
    assert list(store.files()) == []
    store.write("a/b/one", b"x")
    store.check()
    assert contents(store) == {"a/b/one": b"x"}


def test_the_failing_bucket_did_fail(bucket) -> None:
    bucket.failing.fail(0.1)
    store = open_store(bucket.url)
    for number in range(30):
        store.write(f"a/{number}", b"%d" % number)
    assert contents(store) == {f"a/{number}": b"%d" % number for number in range(30)}
    assert bucket.failing.counts["failed"] >= 2


def test_an_answer_that_breaks_off_in_its_middle_is_asked_for_again(bucket) -> None:
    store = open_store(bucket.url)
    store.write("a", b"x" * 100_000)
    bucket.failing.to_cut = 1
    assert store.read("a") == b"x" * 100_000
    bucket.failing.to_cut = 1
    with store.reading("a") as file:
        assert file.read() == b"x" * 100_000
    assert bucket.failing.to_cut == 0


def test_a_server_that_only_fails_is_away_and_back_again_later(
    bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detector.storage import bucket as room

    monkeypatch.setattr(room, "WAITS_S", (0.01,))
    store = open_store(bucket.url)
    store.write("a", b"x")
    bucket.failing.fail(1.0)
    with pytest.raises(StoreAway, match="does not answer") as told:
        store.read("a")
    assert told.value.transient
    bucket.failing.fail(0.0)
    assert store.read("a") == b"x"


def test_a_bucket_that_is_not_there_and_a_url_of_another_kind_are_bad_input(bucket) -> None:
    with pytest.raises(BadInput, match="no such bucket"):
        open_store("s3://another-county/kerbwatch").make_ready()
    with pytest.raises(BadInput, match="no such bucket"):
        open_store("s3://another-county/kerbwatch").check()
    with pytest.raises(BadInput, match="only a folder or s3://"):
        open_store("ftp://county/kerbwatch")


@pytest.mark.parametrize("missing", ["aiohttp", "fsspec"])
def test_without_the_extra_a_bucket_is_bad_input_that_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "detector.storage.bucket", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(BadInput, match=r"kerbwatch\[s3\]"):
        open_store("s3://county/kerbwatch")
