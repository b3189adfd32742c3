"""Each unfinished upload keeps a store of its own."""

from __future__ import annotations

import pytest

from airflow_provider_oss.engine.checkpoints import StorePool
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from tests.support.stores import FailingStore, MemoryStore, StoreDownError


def ref(key: str) -> ObjectRef:
    return ObjectRef("exports", key)


def checkpoint(key: str) -> Checkpoint:
    return Checkpoint(ref(key), f"U-{key}", 4, Fingerprint(key, 8), "0" * 16)


def stores(*keys: str | None) -> list[MemoryStore]:
    """Return stores that hold the checkpoints of these keys."""
    return [MemoryStore(None if key is None else checkpoint(key)) for key in keys]


def test_no_stores() -> None:
    """Without a store nothing is kept, and nothing is left behind."""
    pool = StorePool()
    assert pool.store_for(ref("a")) is None
    assert list(pool.left_behind(())) == []


def test_an_upload_finds_its_own_store() -> None:
    """An unfinished upload gets the store that names it, another one a free one."""
    some = stores("a", None, "b")
    pool = StorePool(some)
    assert pool.store_for(ref("b")) is some[2]
    assert pool.store_for(ref("c")) is some[1]
    assert pool.store_for(ref("a")) is some[0]


def test_a_store_is_free_again() -> None:
    """A store whose upload ended is free; one whose upload failed is not."""
    some = stores(None, None)
    pool = StorePool(some)
    assert pool.store_for(ref("a")) is some[0]
    assert pool.store_for(ref("b")) is some[0]
    some[0].save(checkpoint("b"))
    assert pool.store_for(ref("c")) is some[1]
    assert pool.store_for(ref("b")) is some[0]
    some[0].delete()
    assert pool.store_for(ref("d")) is some[0]


def test_none_is_free() -> None:
    """The last one is given away then."""
    some = stores("a", "b")
    assert StorePool(some).store_for(ref("c")) is some[1]


def test_left_behind() -> None:
    """What is of no wanted object is told with its store, also what was saved since the first look."""
    some = stores("a", None, "b", None)
    pool = StorePool(some)
    pool.store_for(ref("c"))
    some[1].save(checkpoint("c"))
    assert list(pool.left_behind({ref("b")})) == [(some[0], checkpoint("a")), (some[1], checkpoint("c"))]


def test_stores_are_read_when_needed() -> None:
    """Each is read once, and the one that was given away once more: a store may be far."""
    store, other = FailingStore("load", since=4), FailingStore("load", since=2)
    pool = StorePool([store, other])
    assert store.calls == []
    for _ in range(3):
        pool.store_for(ref("a"))
    assert (store.calls, other.calls) == (["load"] * 3, ["load"])
    with pytest.raises(StoreDownError):
        pool.store_for(ref("a"))


def test_what_is_no_checkpoint(caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, and its store is free."""
    some = stores(None)
    some[0].data = {"not": "one"}
    assert StorePool(some).store_for(ref("a")) is some[0]
    assert "A saved checkpoint is ignored" in caplog.text
