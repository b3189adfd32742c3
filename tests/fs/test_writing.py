"""Objects that are written: whole or not at all, however the file is left."""

from __future__ import annotations

import gc
import gzip
import io
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSFileNotClosed,
    OSSInvalidArgument,
    OSSNoSuchBucket,
    OSSObjectAlreadyExists,
    OSSServiceUnavailable,
)
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.unclosed import losing_no_file
from tests.conftest import BUCKET
from tests.fs.conftest import MakeFileSystem
from tests.support.outside_view import unfinished_uploads

if TYPE_CHECKING:
    import oss2

PATH = f"{BUCKET}/dir/key.txt"
KEY = "dir/key.txt"
PART_BYTES = 100 * KIB
PIECE = bytes(range(256)) * 100
PIECES = 40
"""Ten parts."""


class SourceFailed(Exception):
    """What the source of the bytes raises."""


def nothing_is_there(bucket: oss2.Bucket, server: OSSEmulator) -> bool:
    """Whether neither an object nor an unfinished upload is left, and nobody tried to make the object."""
    made = {"PutObject", "CompleteMultipartUpload"} & {request.operation for request in server.requests}
    return not bucket.object_exists(KEY) and not unfinished_uploads(bucket) and not made


OTHERS: set[threading.Thread] = set()
"""Threads of earlier tests: one may still leave a server that does not answer."""


@pytest.fixture(autouse=True)
def _others() -> None:
    OTHERS.clear()
    OTHERS.update(threading.enumerate())


def threads_of_uploads() -> list[str]:
    """Return the names of the threads that this test's uploads have begun and that are still there."""
    begun = [thread.name for thread in threading.enumerate() if thread not in OTHERS]
    return [name for name in begun if name.startswith(("oss-part", "oss-pushed"))]


def test_what_fits_into_one_part_is_one_request(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """A small object is written by one PutObject, in the thread that writes it."""
    with fs.open(PATH, "wb") as file:
        assert file.write(b"one,") == 4
        file.write(memoryview(b"two"))
        assert file.tell() == 7
        assert (file.writable(), file.readable(), file.seekable()) == (True, False, False)
        assert not server.requests

    assert [request.operation for request in server.requests] == ["PutObject"]
    assert bucket.get_object(KEY).read() == b"one,two"
    assert threads_of_uploads() == []


def test_an_empty_object(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A file that nothing was written to is an empty object."""
    fs.open(PATH, "wb").close()
    assert bucket.get_object(KEY).read() == b""


def test_what_does_not_is_sent_in_parts_while_it_is_written(
    fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket
) -> None:
    """A large object is written in parts; the first are at OSS long before the file is closed."""
    with fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        for _ in range(PIECES):
            file.write(PIECE)
        server.wait_for_requests(lambda request: request.operation == "UploadPart")
        assert not bucket.object_exists(KEY)

    assert bucket.get_object(KEY).read() == PIECE * PIECES
    assert unfinished_uploads(bucket) == []
    assert threads_of_uploads() == []


def test_one_large_write(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is written at once may have many parts."""
    data = PIECE * 400
    with fs.open(PATH, "wb", part_size=MIB) as file:
        assert file.write(data) == len(data)
    assert bucket.get_object(KEY).read() == data


def test_a_large_part(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """What is less than one large part is one request as well, and does not gather here until it is whole."""
    data = PIECE * 400
    with fs.open(PATH, "wb", part_size=16 * MIB) as file:
        file.write(data[: 8 * MIB])
        assert threads_of_uploads() == []
        file.write(data[8 * MIB :])
        assert threads_of_uploads() == ["oss-pushed-upload"]
    assert [request.operation for request in server.requests] == ["PutObject"]
    assert bucket.get_object(KEY).read() == data
    assert threads_of_uploads() == []


def test_a_part_that_fails_is_sent_again(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """A fault that passes, a damaged part included, is not noticed by who writes."""
    server.faults.add(Fault(operation="UploadPart", part_number=1, times=1, code="InternalError"))
    server.faults.add(Fault(operation="UploadPart", part_number=2, times=1, corrupt_request_byte=5))
    with fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        file.write(PIECE * PIECES)
    assert bucket.get_object(KEY).read() == PIECE * PIECES


def write(file: Any, pieces: int) -> None:
    for _ in range(pieces):
        file.write(PIECE)


def write_for_ever(file: Any) -> None:
    while True:
        file.write(PIECE)


def write_and_fail(file: Any, pieces: int) -> None:
    write(file, pieces)
    raise SourceFailed


def leave_with_block(fs: OSSFileSystem, pieces: int) -> None:
    with fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        write_and_fail(file, pieces)


def leave_text(fs: OSSFileSystem, pieces: int) -> None:
    with fs.open(PATH, "w", part_size=PART_BYTES, encoding="latin-1") as file:
        for _ in range(pieces):
            file.write(PIECE.decode("latin-1"))
        raise SourceFailed


def leave_compressed(fs: OSSFileSystem, pieces: int) -> None:
    with fs.open(PATH, "wb", part_size=PART_BYTES, compression="gzip") as file:
        write_and_fail(file, pieces)


def leave_compressed_text(fs: OSSFileSystem, pieces: int) -> None:
    with fs.open(PATH, "w", part_size=PART_BYTES, compression="bz2", encoding="latin-1") as file:
        for _ in range(pieces):
            file.write(PIECE.decode("latin-1"))
        raise SourceFailed


def close_in_finally(fs: OSSFileSystem, pieces: int) -> None:
    file = fs.open(PATH, "wb", part_size=PART_BYTES)
    try:
        write_and_fail(file, pieces)
    finally:
        file.close()


def wrapped_by_gzip(fs: OSSFileSystem, pieces: int) -> None:
    with fs.open(PATH, "wb", part_size=PART_BYTES) as raw, gzip.open(raw, "wb") as file:
        write_and_fail(file, pieces)


def opened_by_fsspec(fs: OSSFileSystem, pieces: int) -> None:
    with fsspec.open(f"oss://{fs.oss_conn_id}@{PATH}", "wb") as file:
        write_and_fail(file, pieces)


def in_a_handler(fs: OSSFileSystem, pieces: int) -> None:
    try:
        dict[str, str]()["what is being handled when the file is opened"]
    except KeyError:
        close_in_finally(fs, pieces)


LEAVING = [
    leave_with_block,
    leave_text,
    leave_compressed,
    leave_compressed_text,
    close_in_finally,
    wrapped_by_gzip,
    opened_by_fsspec,
    in_a_handler,
]


@pytest.mark.parametrize("pieces", [1, PIECES], ids=["small", "large"])
@pytest.mark.parametrize("leave", LEAVING)
def test_leaving_through_an_exception(
    fs: OSSFileSystem,
    server: OSSEmulator,
    bucket: oss2.Bucket,
    leave: Callable[[OSSFileSystem, int], None],
    pieces: int,
) -> None:
    """A file that is left or closed because of an exception makes no object, and leaves no parts to be billed."""
    with pytest.raises(SourceFailed):
        leave(fs, pieces)
    assert nothing_is_there(bucket, server)
    assert threads_of_uploads() == []


def test_the_old_object_stays(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is left through an exception does not touch the object that was there."""
    bucket.put_object(KEY, b"old")
    with pytest.raises(SourceFailed):
        leave_with_block(fs, PIECES)
    assert bucket.get_object(KEY).read() == b"old"


def test_an_error_that_is_handled_does_not_count(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """In a handler of an older error a file is written as anywhere; so it is when an error was handled meanwhile."""
    try:
        dict[str, str]()["missing"]
    except KeyError:
        with fs.open(PATH, "w") as file:
            file.write("report")
            try:
                int("no number")
            except ValueError:
                file.write(" of an error")
    assert bucket.get_object(KEY).read() == b"report of an error"


def collected(work: Callable[[], object]) -> None:
    """Do the work, and let Python find what nobody holds any more."""
    try:
        work()
    finally:
        gc.collect()


def open_and_lose(fs: OSSFileSystem, **arguments: Any) -> None:
    file = fs.open(PATH, part_size=PART_BYTES, **arguments)
    for _ in range(PIECES):
        file.write(PIECE if "b" in arguments["mode"] else PIECE.decode("latin-1"))


@pytest.mark.parametrize(
    "arguments",
    [{"mode": "wb"}, {"mode": "w", "encoding": "latin-1"}, {"mode": "wb", "compression": "gzip"}],
    ids=["binary", "text", "compressed"],
)
def test_a_file_that_is_never_closed(
    fs: OSSFileSystem,
    server: OSSEmulator,
    bucket: oss2.Bucket,
    caplog: pytest.LogCaptureFixture,
    arguments: dict[str, Any],
) -> None:
    """A file that is forgotten makes no object: nobody said that all of it was written. That is loud."""
    loss = f"oss://{PATH}: the file was never closed, so the {len(PIECE) * PIECES} bytes written to it are not stored"
    with pytest.warns(ResourceWarning, match=loss):
        collected(lambda: open_and_lose(fs, **arguments))
    for thread in threading.enumerate():
        if thread.name == "oss-pushed-upload":
            thread.join()
    assert nothing_is_there(bucket, server)
    [record] = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.getMessage() == f"{loss}: open it in a `with` block, or close it"


def wrapped_text(fs: OSSFileSystem) -> Any:
    return io.TextIOWrapper(fs.open(PATH, "wb"))


def wrapped_gzip_text(fs: OSSFileSystem) -> Any:
    return gzip.open(fs.open(PATH, "wb"), "wt")


def wrapped_compressed_text(fs: OSSFileSystem) -> Any:
    return io.TextIOWrapper(fs.open(PATH, "wb", compression="gzip"))


def wrapped_buffered(fs: OSSFileSystem) -> Any:
    return io.TextIOWrapper(io.BufferedWriter(fs.open(PATH, "wb")))


def of_fsspec(fs: OSSFileSystem) -> Any:
    return fsspec.open(f"oss://{fs.oss_conn_id}@{PATH}", "w").open()


def of_airflow(fs: OSSFileSystem) -> Any:
    return ObjectStoragePath(f"oss://{fs.oss_conn_id}@{PATH}").open("w")


@pytest.mark.parametrize(
    "open_one",
    [wrapped_text, wrapped_gzip_text, wrapped_compressed_text, wrapped_buffered, of_fsspec, of_airflow],
)
@pytest.mark.parametrize("pieces", [1, 40])
def test_what_wraps_a_file_is_dropped(
    fs: OSSFileSystem,
    server: OSSEmulator,
    bucket: oss2.Bucket,
    caplog: pytest.LogCaptureFixture,
    open_one: Callable[[OSSFileSystem], Any],
    pieces: int,
) -> None:
    """Nothing is stored because Python closes what wraps the file when nobody holds it any more."""
    with pytest.warns(ResourceWarning, match=f"oss://{PATH}: the file was never closed"):
        collected(lambda: open_one(fs).write("text\n" * 10_000 * pieces))
    assert nothing_is_there(bucket, server)
    assert f"oss://{PATH}: the file was never closed" in caplog.text


def test_a_drop_and_an_exception_look_the_same(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """So neither of the two makes an object."""
    with pytest.warns(ResourceWarning), pytest.raises(SourceFailed):
        collected(lambda: write_and_fail(fs.open(PATH, "wb"), 1))
    assert nothing_is_there(bucket, server)


def test_the_operator_of_an_unclosed_file_fails(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Until the end of an attempt all files that were opened in it, by whichever thread, are closed or given up."""

    def open_two(opened: list[Any]) -> None:
        opened.extend([fs.open(PATH, "wb"), fs.open(f"{PATH}-2", "w")])

    def attempt(leave: Callable[[Any], object]) -> None:
        opened: list[Any] = []
        with losing_no_file():
            thread = threading.Thread(target=open_two, args=(opened,))
            thread.start()
            thread.join()
            opened[1].close()
            opened[0].write(PIECE)
            leave(opened)
            opened.clear()

    lost = rf"not closed, .*: oss://{PATH} \({len(PIECE)} bytes\); open it in a `with` block"
    with pytest.warns(ResourceWarning), pytest.raises(OSSFileNotClosed, match=lost):
        attempt(lambda _: None)
    held: list[Any] = []
    with pytest.raises(OSSFileNotClosed, match=lost):
        attempt(held.extend)
    held[0].close()
    attempt(lambda opened: opened[0].close())
    attempt(lambda opened: opened[0].discard())
    with losing_no_file():
        assert bucket.get_object(KEY).read() == PIECE


def test_what_cannot_be_opened_is_not_lost(fs: OSSFileSystem) -> None:
    """A file that fails to open is not in the caller's hands: nothing is said of it, and no task fails."""
    with losing_no_file():
        unknown: Any = {"mode": "w", "encoding": "no-such"}
        wrong: Any = {"mode": "w", "compression": "gzip", "newline": "x"}
        for arguments in (unknown, wrong):
            with pytest.raises((LookupError, ValueError)):
                fs.open(PATH, **arguments)
        with pytest.raises(OSSInvalidArgument):
            fs.open(PATH, "wb", storage_class="Cheap")
        gc.collect()


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "infer"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_compressed(fs: OSSFileSystem, bucket: oss2.Bucket, compression: str, suffix: str) -> None:
    """What is compressed on its way is whole, and read back by its name or the same argument."""
    with fs.open(PATH + suffix, "wb", compression=compression) as file:
        assert file.writable()
        file.write(PIECE)
    stored = bucket.get_object(KEY + suffix).read()
    assert (stored == PIECE) == (compression == "infer" and not suffix)
    with fs.open(PATH + suffix, "rb", compression=compression) as file:
        assert file.read() == PIECE


def test_text(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Text is encoded, and its line ends are changed, as asked for."""
    with fs.open(PATH, "wt", encoding="latin-1", newline="\r\n") as file:
        file.write("ü\n")
    assert bucket.get_object(KEY).read() == "ü\r\n".encode("latin-1")
    with fs.open(PATH, encoding="latin-1", mode="r") as text:
        assert text.read() == "ü\n"


@pytest.mark.parametrize("encoding", ["utf-16", "U32", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("pieces", [(), ("",), ("ü", "\U0001f600\n")])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_text_is_what_a_file_would_have(
    fs: OSSFileSystem, tmp_path: Path, encoding: str, pieces: tuple[str, ...], compression: str | None
) -> None:
    """The bytes are those of a file on disk, the mark at their beginning too, and are read as what was written."""
    with (
        (tmp_path / "file").open("w", encoding=encoding) as local,
        fs.open(PATH, "w", encoding=encoding, compression=compression) as file,
    ):
        local.writelines(pieces)
        file.writelines(pieces)
    with fs.open(PATH, "rb", compression=compression) as binary:
        assert binary.read() == (tmp_path / "file").read_bytes()
    with fs.open(PATH, "r", encoding=encoding, compression=compression) as text:
        assert text.read() == "".join(pieces)


@pytest.mark.parametrize(
    "data",
    [memoryview(b"abcdef")[::2], memoryview(b"abcdef")[::-1], memoryview(b"abcd").cast("B", (2, 2))[:0]],
    ids=["strided", "reversed", "empty"],
)
def test_bytes_that_are_not_next_to_each_other(fs: OSSFileSystem, data: memoryview) -> None:
    """A view is stored as the bytes it shows, wherever they are: written, compressed, and piped."""
    for compression in (None, "gzip"):
        with fs.open(PATH, "wb", compression=compression) as file:
            assert file.write(data) == data.nbytes
        with fs.open(PATH, "rb", compression=compression) as file:
            assert file.read() == data.tobytes()
    fs.pipe(PATH, data)
    assert fs.cat_file(PATH) == data.tobytes()


def test_an_unknown_encoding(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """A text file that cannot be opened leaves nothing."""
    with pytest.raises(LookupError, match="no-such"):
        fs.open(PATH, "w", encoding="no-such")
    gc.collect()
    assert nothing_is_there(bucket, server)


@pytest.mark.parametrize("pieces", [1, PIECES], ids=["small", "large"])
def test_refused(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket, pieces: int) -> None:
    """That OSS refuses is raised as PermissionError, at the latest by close, and nothing is left."""
    for operation in ("PutObject", "InitiateMultipartUpload"):
        server.faults.add(Fault(operation=operation, code="AccessDenied"))
    with pytest.raises(PermissionError) as raised, fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        write(file, pieces)
    assert isinstance(raised.value, OSSAccessDenied)
    assert not bucket.object_exists(KEY)
    assert unfinished_uploads(bucket) == []


def test_an_upload_that_breaks_is_seen_by_who_writes(
    fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket
) -> None:
    """When parts cannot be sent, writing raises instead of taking bytes for ever; the upload is aborted."""
    server.faults.add(Fault(operation="UploadPart", code="ServiceUnavailable"))
    file = fs.open(PATH, "wb", part_size=PART_BYTES)
    with pytest.raises(OSSServiceUnavailable, match="given up after 3 tries"):
        write_for_ever(file)
    with pytest.raises(OSSServiceUnavailable):
        file.write(PIECE)
    with pytest.raises(OSSServiceUnavailable):
        file.close()
    assert file.closed
    assert unfinished_uploads(bucket) == []


def test_completing_that_fails_is_raised_by_close(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """The last request may fail too: closing raises."""
    server.faults.add(Fault(operation="CompleteMultipartUpload", code="AccessDenied"))
    file = fs.open(PATH, "wb", part_size=PART_BYTES)
    file.write(PIECE * PIECES)
    with pytest.raises(PermissionError):
        file.close()
    assert unfinished_uploads(bucket) == []


def test_interrupted_while_it_waits(
    fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout of the task that comes while closing waits for OSS ends the waiting; no object is made later."""
    server.faults.add(Fault(operation="UploadPart", latency_seconds=0.5))
    file = fs.open(PATH, "wb", part_size=PART_BYTES)
    file.write(PIECE * PIECES)
    [upload] = [thread for thread in threading.enumerate() if thread.name == "oss-pushed-upload"]

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upload, "join", interrupt)
        with pytest.raises(KeyboardInterrupt):
            file.close()
    upload.join()
    assert nothing_is_there(bucket, server)


def test_a_missing_connection() -> None:
    """It is an error when the file is opened, in the thread that opens it."""
    with pytest.raises(AirflowNotFoundException, match="nowhere"):
        OSSFileSystem("nowhere").open(f"{BUCKET}/key", "wb")


def test_a_missing_bucket(fs: OSSFileSystem) -> None:
    """Writing to a bucket that is not there is FileNotFoundError: no bucket is made."""
    with pytest.raises(FileNotFoundError) as raised, fs.open("no-such-bucket/key", "wb") as file:
        file.write(b"data")
    assert isinstance(raised.value, OSSNoSuchBucket)


def test_exclusive(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """With "x" an object that is there is neither replaced nor taken for the one that was to be made."""
    with fs.open(PATH, "xb") as file:
        file.write(b"first")
    with pytest.raises(FileExistsError):
        fs.open(PATH, "xb")
    with pytest.raises(FileExistsError):
        fs.open(PATH, "x")
    assert bucket.get_object(KEY).read() == b"first"
    assert server.requests


def test_exclusive_is_decided_by_oss(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Another's object that appears while this one is written stays."""
    file = fs.open(PATH, "xb")
    file.write(b"mine")
    bucket.put_object(KEY, b"another's")
    with pytest.raises(FileExistsError) as raised:
        file.close()
    assert isinstance(raised.value, OSSObjectAlreadyExists)
    assert bucket.get_object(KEY).read() == b"another's"


@pytest.mark.parametrize("mode", ["ab", "a", "r+b", "w+b"])
def test_other_modes(fs: OSSFileSystem, mode: str) -> None:
    """What an object store cannot do is refused with the modes that there are."""
    with pytest.raises(OSSInvalidArgument, match=r"mode='.*' is not offered: an object is read \(r\) or written anew"):
        fs.open(PATH, mode)


def test_options(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What OSS stores with an object is given when the file is opened, and checked then."""
    with fs.open(PATH, "wb", mime="text/x-report", meta={"made-by": "test"}, storage_class="IA", parallel=2) as file:
        file.write(b"data")
    headers = bucket.head_object(KEY).headers
    assert headers["Content-Type"] == "text/x-report"
    assert headers["x-oss-meta-made-by"] == "test"
    assert headers["x-oss-storage-class"] == "IA"
    with pytest.raises(OSSInvalidArgument, match="storage_class"):
        fs.open(PATH, "wb", storage_class="Cheap")


def test_options_of_other_filesystems(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is for reading, or asks for nothing, is no error; what would have no effect is."""
    with fs.open(PATH, "wb", cache_type="none", fill_cache=True, acl=False, requester_pays=None, size=4) as file:
        file.write(b"data")
    assert bucket.get_object(KEY).read() == b"data"
    with pytest.raises(OSSInvalidArgument, match=r"^encryption is not offered for writing: part_size, .*mime, .*leave"):
        fs.open(PATH, "wb", encryption="AES256")


def test_closed_is_closed(fs: OSSFileSystem) -> None:
    """Closing twice is fine, writing afterwards is not."""
    given: tuple[Any, ...] = ({}, {"compression": "gzip"})
    for arguments in given:
        file = fs.open(PATH, "wb", **arguments)
        file.close()
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.write(b"data")


def test_discarded(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """A file that was discarded takes no notice of what follows."""
    file = fs.open(PATH, "wb", part_size=PART_BYTES)
    file.write(PIECE * PIECES)
    file.discard()
    assert file.write(PIECE) == len(PIECE)
    file.commit()
    file.close()
    assert nothing_is_there(bucket, server)


def test_a_transaction(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """The objects of a transaction are made at its end."""
    with fs.transaction:
        for number, size in enumerate((1, PIECES)):
            with fs.open(f"{PATH}-{number}", "wb", part_size=PART_BYTES) as file:
                file.write(PIECE * size)
        assert fs.find(f"{BUCKET}/dir") == []
    assert [bucket.get_object(f"{KEY}-{number}").read() for number in range(2)] == [PIECE, PIECE * PIECES]
    assert threads_of_uploads() == []


def write_closed_and_fail(fs: OSSFileSystem) -> None:
    with fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        write(file, PIECES)
    write_and_fail(fs.open(f"{PATH}-2", "wb"), 1)


def test_a_transaction_that_fails(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """None of the objects of a transaction that is left through an exception is made."""
    with pytest.raises(SourceFailed), fs.transaction:
        write_closed_and_fail(fs)
    assert nothing_is_there(bucket, server)
    assert threads_of_uploads() == []


def store_all_at_once_and_fail(fs: OSSFileSystem, file: Path) -> None:
    fs.pipe(PATH, PIECE)
    fs.pipe({f"{PATH}-2": PIECE, f"{PATH}-3": PIECE})
    fs.put(str(file), f"{PATH}-4")
    raise SourceFailed


def test_a_transaction_is_for_what_is_stored_at_once_too(
    fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    """Bytes and files that are put in a transaction are there at its end, or not at all."""
    file = tmp_path / "file"
    file.write_bytes(PIECE * PIECES)
    with pytest.raises(SourceFailed), fs.transaction:
        store_all_at_once_and_fail(fs, file)
    assert nothing_is_there(bucket, server)
    with fs.transaction:
        fs.pipe(PATH, PIECE)
        fs.put(str(file), f"{PATH}-4")
        assert fs.find(f"{BUCKET}/dir") == []
    assert bucket.get_object(KEY).read() == PIECE
    assert bucket.get_object(f"{KEY}-4").read() == PIECE * PIECES


def test_a_file_in_a_transaction_is_read_to_its_end(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A file whose size says nothing, as those of /proc, is whole in a transaction too."""
    with fs.transaction:
        fs.put("/proc/filesystems", PATH)
    assert bucket.get_object(KEY).read() == Path("/proc/filesystems").read_bytes()


def test_a_transaction_that_nobody_ends(fs: OSSFileSystem, server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """Closed but never committed is not made either, and its thread ends."""
    fs.start_transaction()
    with fs.open(PATH, "wb", part_size=PART_BYTES) as file:
        file.write(PIECE * PIECES)
    del file
    with pytest.warns(ResourceWarning, match="its transaction never ended"):
        fs.transaction.files.clear()
    for thread in threading.enumerate():
        if thread.name == "oss-pushed-upload":
            thread.join()
    assert nothing_is_there(bucket, server)


def test_many_threads_write_through_one_filesystem(make_fs: MakeFileSystem, bucket: oss2.Bucket) -> None:
    """One filesystem serves several threads at once."""
    fs = make_fs()

    def write(number: int) -> None:
        with fs.open(f"{PATH}-{number}", "wb", part_size=PART_BYTES) as file:
            for _ in range(PIECES):
                file.write(PIECE + bytes([number]))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert bucket.get_object(f"{KEY}-{number}").read() == (PIECE + bytes([number])) * PIECES
