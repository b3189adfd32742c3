"""What each RAM policy of docs/permissions.md is for: a scenario that needs all of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSProviderError
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.watch import WatchedKeys, WatchedPrefix, look_below, look_for_keys
from tests.support.stores import MemoryDirectory, MemoryStore
from tests.support.trees import write_tree

PART = 100 * KIB


@dataclass(frozen=True)
class World:
    """Two hooks to one server: the user's, whom the policy is for, and the owner's, who may do everything."""

    server: OSSEmulator
    user: OSSHook
    owner: OSSHook
    user_without_bucket: OSSHook
    folder: Path

    def file(self, parts: int, fill: bytes = b"x") -> Path:
        """Return a file of so many parts."""
        path = self.folder / "file.bin"
        path.write_bytes(fill * PART * parts)
        return path

    def failing(self, fault: Fault, call: Callable[[], object]) -> None:
        """Make a call that the fault makes fail."""
        self.server.faults.add(fault)
        with suppress(OSSProviderError):
            call()
        self.server.faults.clear()


def uploads(world: World) -> None:
    """Continue an upload, give one up, find one whose id was lost, recognise a finished one."""
    store, file = MemoryStore(), world.file(4)

    def upload(**options: object) -> object:
        return world.user.upload_file("daily/a", file, part_size=PART, checkpoint=store, **options)  # type: ignore[arg-type]

    world.failing(Fault(operation="UploadPart", part_number=3, status=500), upload)
    upload()
    world.failing(Fault(operation="UploadPart", part_number=3, status=500), upload)
    upload(mime="text/plain")
    world.failing(Fault(operation="InitiateMultipartUpload", reset="after"), upload)
    upload()
    upload(forbid_overwrite=True)


def tagged_uploads(world: World) -> None:
    """Store an object with tags and an ACL."""
    world.user.put_object("daily/a", b"data", tags={"kind": "export"}, acl="private")


def directories(world: World) -> None:
    """Make a prefix equal to a directory: compare, send, continue a large file, delete."""
    root = world.folder / "tree"
    write_tree(root, {"new": b"new", "same": b"same"})
    (root / "large").write_bytes(b"x" * PART * 4)
    world.owner.put_object("daily/same", b"same", mime="text/plain")
    world.owner.put_object("daily/old", b"old")
    stores = [MemoryStore()]

    def synchronise(part_size: int) -> None:
        world.user.upload_directory(
            "daily", root, delete_removed=True, part_size=part_size, checkpoints=stores
        ).raise_failures()

    world.failing(Fault(operation="InitiateMultipartUpload", reset="after"), lambda: synchronise(PART))
    world.failing(Fault(operation="UploadPart", part_number=3, status=500), lambda: synchronise(PART))
    world.failing(Fault(operation="CompleteMultipartUpload", status=500), lambda: synchronise(PART))
    synchronise(2 * PART)
    synchronise(2 * PART)
    world.user.upload_batch("daily", [root / "new", root / "large"]).raise_failures()


def downloads(world: World) -> None:
    """Read an object to a file."""
    world.owner.put_object("daily/a", b"data")
    world.user.download_file("daily/a", world.folder / "copy")
    world.owner.put_object("daily/a", b"x" * PART * 4)

    def download() -> object:
        return world.user.resume_download("daily/a", world.folder / "copy", part_size=PART, parallel=1)

    world.failing(Fault(operation="GetObject", skip=2, status=500), download)
    download()


def copies(world: World) -> None:
    """Copy an object with tags, whole and in parts; continue a copy, give one up, find one whose id was lost."""
    store = MemoryStore()
    world.owner.put_object("daily/a", b"x" * PART * 4, tags={"kind": "export"})

    def copy(**options: object) -> object:
        return world.user.copy_object(
            "daily/a",
            "oss://archive/daily/a",
            multipart_threshold=0,
            part_size=PART,
            checkpoint=store,
            **options,  # type: ignore[arg-type]
        )

    world.user.copy_object("daily/a", "oss://archive/daily/whole")
    world.failing(Fault(operation="UploadPartCopy", part_number=3, status=500), copy)
    copy()
    world.failing(Fault(operation="UploadPartCopy", part_number=3, status=500), copy)
    copy(mime="text/plain")
    world.failing(Fault(operation="InitiateMultipartUpload", reset="after"), copy)
    copy()
    copy(forbid_overwrite=True)


def paths(world: World) -> None:
    """Write, read, list, move and delete through the filesystem, and give up a file that is written."""
    fs = OSSFileSystem(oss_conn_id=world.user.oss_conn_id, skip_instance_cache=True)
    fs.pipe_file("exports/daily/a", b"data")
    assert fs.cat_file("exports/daily/a") == b"data"
    assert fs.ls("exports/daily/", detail=False) == ["exports/daily/a"]
    with suppress(ZeroDivisionError), fs.open("exports/daily/b", "wb", part_size=PART) as file:
        file.write(b"x" * PART * 3)
        world.server.wait_for_requests(lambda request: request.operation == "UploadPart")
        raise ZeroDivisionError
    fs.mv("exports/daily/a", "exports/daily/c")
    fs.rm("exports/daily/c")


def objects(world: World) -> None:
    """List, tag and delete below a prefix."""
    world.owner.put_object("daily/a", b"data")
    assert [found.ref.key for found in world.user.list_objects("daily/")] == ["daily/a"]
    world.user.set_object_tags("daily/a", {"kind": "export"})
    assert world.user.get_object_tags("daily/a") == {"kind": "export"}
    world.user.delete_object_tags("daily/a")
    assert list(world.user.delete_below("daily/")) == [["daily/a"]]


def stale_uploads(world: World) -> None:
    """Abort an upload, long after it was begun."""
    upload_id = world.owner.initiate_multipart_upload("daily/a")
    world.owner.upload_part("daily/a", upload_id, 1, b"data")
    a_minute_hence = timedelta(minutes=-1)  # whatever is older than that
    assert world.user.abort_stale_uploads(a_minute_hence, MemoryDirectory()).bytes == 4


def buckets(world: World) -> None:
    """Create a bucket, and delete it with what it holds."""
    assert world.user.create_bucket("exports-of-today")
    assert not world.user.create_bucket("exports-of-today", acl="private")
    world.owner.put_object("a", b"data", "exports-of-today")
    world.owner.initiate_multipart_upload("b", "exports-of-today")
    assert world.user.delete_bucket("exports-of-today", force=True)


def sensors(world: World) -> None:
    """Look for a key that is not there yet, for what a pattern matches, and at what is below a prefix."""
    world.owner.put_object("daily/a", b"data")
    watched = WatchedKeys(("daily/missing", "daily/*"), wildcard_match=True)
    assert len(look_for_keys(world.user, watched, 0.0).missing) == 1
    assert look_below(world.user, WatchedPrefix("daily", None, 1.0), None).snapshot.objects == 1


def connection_test(world: World) -> None:
    """Test a connection with a default bucket, and one without."""
    assert world.user.test_connection()[0]
    assert world.user_without_bucket.test_connection()[0]


USES: dict[str, Callable[[World], None]] = {
    "Uploads": uploads,
    "Uploads of tagged objects": tagged_uploads,
    "Directories": directories,
    "Downloads": downloads,
    "Paths": paths,
    "Objects that are there": objects,
    "Stale uploads": stale_uploads,
    "Buckets": buckets,
    "Copies": copies,
    "Sensors": sensors,
    "The Test button": connection_test,
}
