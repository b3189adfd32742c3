"""The data moves: the source is cut, grown, edited, replaced or deleted, between attempts and during one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.chaos.cells import leave_two_parts
from tests.chaos.client import Interference
from tests.chaos.edges import named_upload
from tests.chaos.scenario import Measured, Scenario, Scene, check_nothing_is_forgotten
from tests.chaos.tasks import Job, attempt
from tests.chaos.troubles import FirstTime
from tests.chaos.world import PART_BYTES, World, bytes_sent_again, demand


def _truncate(path: Path) -> None:
    os.truncate(path, 2 * PART_BYTES + 77)


def _shrink_to_one_part(path: Path) -> None:
    os.truncate(path, 1000)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more" * 50_000)


def _edit_in_place(path: Path) -> None:
    """Change one byte of the first part and put size and modification time back."""
    before = path.stat()
    with path.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 0xFF]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(bytes(path.stat().st_size))
    beside.replace(path)


CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "truncated": _truncate,
    "shrunk-to-one-part": _shrink_to_one_part,
    "grown": _grow,
    "edited-in-place": _edit_in_place,
    "replaced": _replace,
    "deleted": Path.unlink,
}
_MOMENTS: Final = ("InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


def scenarios() -> Iterator[Scenario]:
    """Yield each change between attempts, before each kind of call, while parts are verified, and during a put."""
    for change in CHANGES:
        yield Scenario(f"moves:{change}:between", partial(_between, change))
        for moment in _MOMENTS:
            yield Scenario(f"moves:{change}:{moment}", partial(_during, change, moment, "resumable"))
        yield Scenario(f"moves:{change}:verifying", partial(_while_verifying, change))
        yield Scenario(f"moves:{change}:put", partial(_during, change, "PutObject", "file"))


def _between(change: str, scene: Scene) -> Measured:
    world, job = scene.common_world(), scene.job()
    leave_two_parts(world, job)
    old = job.path.read_bytes()
    CHANGES[change](job.path)
    if change == "deleted":
        _meet_missing_source(world, job, old)
    return _succeed(world, job, old)


def _during(change: str, moment: str, kind: str, scene: Scene) -> Measured:
    world, job = scene.common_world(), scene.job(kind=kind)
    old = job.path.read_bytes()
    ended = attempt(job, Interference(before=FirstTime(moment, lambda: CHANGES[change](job.path))))
    if ended.error is None:
        demand(moment == "CompleteMultipartUpload", "a change is noticed until the last byte is read")
        demand(world.leftovers(job.key).content == old, "the object is the source as it was when it was read")
    else:
        demand(type(ended.error).__name__ == "OSSSourceChanged", f"the change is the error, but: {ended}")
        demand(world.leftovers(job.key).content is None, "nothing is published of a source that changed")
    check_nothing_is_forgotten(world, job)
    if change == "deleted":
        _meet_missing_source(world, job, old)
    return _succeed(world, job, old)


def _while_verifying(change: str, scene: Scene) -> Measured:
    """Change the source when a later attempt has opened it and not yet compared what is stored."""
    world, job = scene.common_world(), scene.job()
    leave_two_parts(world, job)
    old = job.path.read_bytes()
    ended = attempt(job, Interference(before=FirstTime("ListParts", lambda: CHANGES[change](job.path))))
    demand(type(ended.error).__name__ == "OSSSourceChanged", f"the change is the error, but: {ended}")
    demand(world.leftovers(job.key).content is None, "nothing is published of a source that changed")
    check_nothing_is_forgotten(world, job)
    if change == "deleted":
        _meet_missing_source(world, job, old)
    return _succeed(world, job, old)


def _meet_missing_source(world: World, job: Job, content: bytes) -> None:
    """Fail without the source, for good if nothing shows that it was there, forget nothing; go on when it is back."""
    was_begun = named_upload(job.state.content) is not None
    ended = attempt(job)
    expected = "OSSSourceElsewhere" if was_begun else "OSSSourceMissing"
    demand(type(ended.error).__name__ == expected and ended.permanent != was_begun, f"{expected}, but: {ended}")
    check_nothing_is_forgotten(world, job)
    job.path.write_bytes(content)


def _succeed(world: World, job: Job, old: bytes) -> Measured:
    ended = attempt(job)
    demand(ended.error is None, f"the next attempt succeeds, but: {ended}")
    new, left = job.path.read_bytes(), world.leftovers(job.key)
    demand(left.content == new, "the object is the source as it is now, and never a mixture")
    demand(not left.uploads and named_upload(job.state.content) is None, f"nothing is left: {left.uploads}")
    again = bytes_sent_again(world.records, job.key)
    demand(again <= _changed_bytes(old, new), f"only what changed is sent again, not {again} bytes")
    return Measured(faults=1)


def _changed_bytes(old: bytes, new: bytes) -> int:
    """Return the size of the parts that differ."""
    slices = (slice(start, start + PART_BYTES) for start in range(0, len(new), PART_BYTES))
    return sum(len(new[part]) for part in slices if new[part] != old[part])
