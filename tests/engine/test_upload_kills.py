"""A process that dies at any moment: the next one continues, and the object is right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from airflow_provider_oss.engine.upload import Upload
from airflow_provider_oss.model import ObjectRef
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import KilledError, Life, MortalClient, MortalStore, changed
from tests.support.stores import MemoryStore

pytestmark = both_ways

PARTS = 4
BEGINNING = ("load", "save", "initiate", "save")
"""The steps of a first attempt before the first part: the intent is saved, then the id."""


def mortal(upload: Upload, store: MemoryStore, life: Life) -> Upload:
    return changed(upload, client=MortalClient(upload.means.client, life), store=MortalStore(store, life))


def uploads_of(scene: Scene, ref: ObjectRef) -> list[str]:
    page = scene.client.list_multipart_uploads(ref.bucket, ref.key, ("", ""))
    return [upload.upload_id for upload in page.items]


@dataclass
class Case:
    """One attempt that dies, of an upload to an address of its own."""

    upload: Upload
    store: MemoryStore
    life: Life

    def times_done(self, step: str) -> int:
        """How often the work of the steps of this name was done before the death."""
        tried = self.life.made.count(step)
        return tried if self.life.dies_after_the_work or self.life.made[-1] != step else tried - 1

    @property
    def parts_arrived(self) -> int:
        """How many parts OSS got from this attempt."""
        return self.times_done("upload_part")

    def run(self) -> bool:
        """Make the attempt; return whether it died."""
        try:
            mortal(self.upload, self.store, self.life).run()
        except KilledError:
            return True
        return False


def deaths(scene: Scene, *, dies_after_the_work: bool, parts_before: int) -> Iterator[Case]:
    """Yield attempts that died one step later each time, until one lives to the end; some parts may be there before."""
    usual = scene.upload(settings=replace(scene.settings, parallel=1))
    for steps in itertools.count(1):
        upload, store = replace(usual, ref=ObjectRef(scene.bucket, f"step-{steps}")), MemoryStore()
        if parts_before:
            first = Case(upload, store, Life(len(BEGINNING) + parts_before, dies_after_the_work=True))
            assert first.run()
            assert first.parts_arrived == parts_before
        case = Case(upload, store, Life(steps, dies_after_the_work))
        if not case.run():
            return
        scene.server.forget_requests()
        yield case


@pytest.mark.parametrize("dies_after_the_work", [False, True])
def test_dying_at_every_step(scene: Scene, dies_after_the_work: bool) -> None:  # noqa: FBT001 - a table
    """
    Wherever a first attempt dies, the next one makes the object, sends only what had not arrived, and leaves nothing.

    An upload whose id was not saved is found by the intent and aborted. The window: whoever dies after the very last
    step, the end of the checkpoint, is not remembered.
    """
    data = scene.write(PARTS * PART)
    died_at = []
    for case in deaths(scene, dies_after_the_work=dies_after_the_work, parts_before=0):
        died_at.append(case.life.made[-1])

        result = replace(case.upload, store=case.store).run()

        assert scene.object(case.upload.ref) == data
        assert case.store.data is None
        if case.times_done("delete") or not case.times_done("save"):
            assert (result.attempts, result.bytes_sent) == (1, PARTS * PART)
        else:
            assert (result.attempts, result.bytes_sent) == (2, (PARTS - case.parts_arrived) * PART)
        assert uploads_of(scene, case.upload.ref) == []

    assert died_at == [*BEGINNING, *["upload_part"] * PARTS, "complete", "load", "delete"]


@pytest.mark.parametrize("dies_after_the_work", [False, True])
def test_dying_at_every_step_of_a_later_attempt(scene: Scene, dies_after_the_work: bool) -> None:  # noqa: FBT001 - a table
    """Wherever a second attempt dies, the third one makes the object, sends only the rest, and leaves nothing."""
    data = scene.write(PARTS * PART)
    died_at = []
    for case in deaths(scene, dies_after_the_work=dies_after_the_work, parts_before=2):
        died_at.append(case.life.made[-1])

        result = replace(case.upload, store=case.store).run()

        assert scene.object(case.upload.ref) == data
        assert case.store.data is None
        if case.times_done("delete"):
            assert (result.attempts, result.bytes_sent) == (1, PARTS * PART)
        else:
            assert result.attempts == (3 if case.times_done("save") else 2)
            assert result.bytes_sent == (PARTS - 2 - case.parts_arrived) * PART
        assert uploads_of(scene, case.upload.ref) == []

    assert died_at == ["load", "list_parts", "save", "upload_part", "upload_part", "complete", "load", "delete"]


@pytest.mark.parametrize("dies_after_the_work", [False, True])
def test_dying_again_and_again(scene: Scene, dies_after_the_work: bool) -> None:  # noqa: FBT001 - a table
    """Processes that each live for one to three parts get an upload done together, each part sent once."""
    data = scene.write(6 * PART)
    settings = replace(scene.settings, parallel=1)
    upload = scene.upload(settings=settings)
    lives = 1
    while Case(upload, scene.store, Life(6, dies_after_the_work)).run():
        lives += 1
        assert lives < 20

    assert lives > 3
    assert scene.sent() == [1, 2, 3, 4, 5, 6]
    assert scene.object() == data
    scene.assert_nothing_left()


def test_dying_in_parallel(scene: Scene) -> None:
    """With several parts in flight at each death, at most those are sent twice."""
    data = scene.write(20 * PART)
    settings = replace(scene.settings, parallel=4)
    for steps in (8, 12):
        with pytest.raises(KilledError):
            mortal(scene.upload(settings=settings), scene.store, Life(steps, dies_after_the_work=False)).run()

    scene.run(settings=settings)

    assert set(scene.sent()) == set(range(1, 21))
    assert len(scene.sent()) <= 20 + 2 * 4
    assert scene.object() == data
    scene.assert_nothing_left()
