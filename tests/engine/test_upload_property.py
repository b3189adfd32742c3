"""Whatever happened before, an upload that succeeds has made an object equal to its source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import BytesSource, StreamSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.options import parse_options
from tests.engine.conftest import PART
from tests.engine.doubles import KilledError, Life, MemoryOSS, MortalClient, MortalStore, changed
from tests.support.sources import slices_of, some_bytes
from tests.support.stores import MemoryStore

MOST_PARTS = 4
CONTENT = some_bytes(MOST_PARTS * PART)


@dataclass(frozen=True)
class Before:
    """What happens before an attempt, and how far the attempt gets."""

    size_bytes: int
    as_stream: bool
    edit_at: int
    key: str
    run: int
    record: str | None
    part_to_spoil: int
    server_forgets: bool
    steps: int
    dies_after_the_work: bool


histories = st.lists(
    st.builds(
        Before,
        size_bytes=st.sampled_from((0, 1, PART, PART + 1, 2 * PART, 3 * PART - 1, MOST_PARTS * PART)),
        as_stream=st.booleans(),
        edit_at=st.integers(0, MOST_PARTS * PART - 1),
        key=st.sampled_from("aaab"),
        run=st.sampled_from((1, 1, 1, 2)),
        record=st.sampled_from((None, None, "", "1-4", "2", "7-9999")),
        part_to_spoil=st.integers(0, 2 * MOST_PARTS),
        server_forgets=st.sampled_from((False, False, False, True)),
        steps=st.integers(1, 12),
        dies_after_the_work=st.booleans(),
    ),
    max_size=6,
)


class World:
    """A source that changes, an OSS and a store that outlive every process."""

    def __init__(self) -> None:
        self.data = b""
        self.oss = MemoryOSS()
        self.store = MemoryStore()

    def change(self, before: Before) -> Upload:
        """Let it happen, and return the attempt that comes next."""
        changed = bytearray(CONTENT)
        changed[before.edit_at] ^= 0xFF
        self.data = bytes(changed[: before.size_bytes])
        checkpoint = self.store.load()
        if checkpoint is not None and before.record is not None:
            self.store.save(replace(checkpoint, done_parts=before.record))
        for parts in self.oss.uploads.values():
            if before.part_to_spoil in parts:
                parts[before.part_to_spoil] = bytes(len(parts[before.part_to_spoil]))
        if before.server_forgets:
            self.oss.uploads.clear()
        data = self.data
        return Upload(
            StreamSource(lambda: slices_of(data, 7000)) if before.as_stream else BytesSource(data),
            ObjectRef("exports", before.key),
            Means(self.oss, RetryPolicy(tries=1)),
            store=self.store,
            options=parse_options(meta={"run": before.run}),
            settings=UploadSettings(part_size_bytes=PART, parallel=2),
        )

    def live(self, upload: Upload, life: Life) -> None:
        """Make an attempt that may die."""
        mortal = changed(upload, client=MortalClient(self.oss, life), store=MortalStore(self.store, life))
        try:
            result = mortal.run()
        except KilledError:
            return
        self.check(upload, result.bytes_sent + result.bytes_verified)

    def check(self, upload: Upload, bytes_accounted: int) -> None:
        """What success means: the object is the source, every byte is accounted for, nothing is left."""
        assert self.oss.objects[upload.ref] == self.data
        assert bytes_accounted == len(self.data)
        assert self.store.data is None
        assert self.oss.uploads == {}


@settings(deadline=None, max_examples=150)
@given(history=histories, last=histories.filter(bool))
def test_success_means_equal(history: list[Before], last: list[Before]) -> None:
    """
    Attempts that die anywhere, sources that change between them, spoiled parts, edited records and vanished uploads.

    Each attempt reads its source at any offset or forward, whatever the one before did.

    Whatever the history, an attempt that ends well has made the object from the source's bytes of now; no upload is
    forgotten, not even those whose id could not be saved before a death.
    """
    world = World()
    for before in history:
        world.live(world.change(before), Life(before.steps, before.dies_after_the_work))
    world.live(world.change(last[-1]), Life(10**6, dies_after_the_work=False))

    assert world.oss.objects[ObjectRef("exports", last[-1].key)] == world.data
