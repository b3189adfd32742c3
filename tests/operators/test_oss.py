"""The three operators against the local OSS server."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.oss import OSSPutObjectOperator, OSSPutStreamOperator, OSSResumableUploadOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.emulator.support import accept, callback_server
from tests.operators.conftest import DATA, REFUSED, Build, Run
from tests.support.airflow_version import STORES
from tests.support.stores import MemoryStore

PART_BYTES = 100 * KIB


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


# OSSPutObjectOperator


@pytest.mark.parametrize(("data", "expected"), [("größe", "größe".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_put_data(run: Run, data: str | bytes, expected: bytes) -> None:
    """Text is stored as UTF-8, bytes as they are, nothing as an empty object."""
    result = run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data=data))
    assert read("key") == expected
    assert result["size"] == len(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("plain\r\ntext\n", b"plain\r\ntext\n"),
        ("{{ ds }}\n", b"2026-11-21\n"),
        ("{{ ds }}\r\ntext\r\n", b"2026-11-21\r\ntext\r\n"),
        ("{{ ds }}", b"2026-11-21"),
        ("a {{ ds -}}\n", b"a 2026-11-21"),
    ],
)
def test_put_data_to_the_last_byte(run: Run, data: str, expected: bytes) -> None:
    """Line ends of the data are the data's, also where Jinja would change or drop them."""
    run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data=data))
    assert read("key") == expected


def test_only_data_keep_their_last_newline(run: Run) -> None:
    """A key from a block of text has none, as that of any other operator."""
    assert (
        run(lambda: OSSPutObjectOperator(task_id="upload", key="{{ ds }}.txt\n", data="x"))["key"] == "2026-11-21.txt"
    )


def test_a_dag_with_other_marks(in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context]) -> None:
    """What is a template is for the DAG's Jinja environment to say."""
    operator = in_dag(lambda: OSSPutObjectOperator(task_id="upload", key="[[ ds ]].txt", data="{{ [[ ds ]]\n"))
    context = context_of(operator)
    marks = {"variable_start_string": "[[", "variable_end_string": "]]"}
    operator.render_template_fields(context, operator.get_template_env().overlay(**marks))
    operator.execute(context)
    assert read("2026-11-21.txt") == b"{{ 2026-11-21\n"


@pytest.mark.parametrize("as_text", [True, False])
def test_put_file(run: Run, file: Path, *, as_text: bool) -> None:
    """A file is stored in one request, named by text or by path."""
    path = str(file) if as_text else file
    result = run(lambda: OSSPutObjectOperator(task_id="upload", key="key", file_path=path))
    assert read("key") == DATA
    assert (result["bytes_sent"], result["resumed"]) == (len(DATA), False)


def test_callback(run: Run) -> None:
    """The application's answer to the callback is in the result."""
    with callback_server(accept) as application:
        callback = {"url": application.url, "body": "run={{ run_id }}&key=${object}"}
        result = run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data="d", callback=callback))
    assert result["callback_response"] == {"Status": "OK"}
    assert application.received[0][1] == b"run=manual__1&key=key"


# OSSPutStreamOperator


def make_file_object() -> io.BytesIO:
    return io.BytesIO(b"from a file object")


def make_chunks() -> Iterator[bytes]:
    yield b"from "
    yield b"a generator"


def make_with_context(ds: str, params: dict[str, str], **context: Any) -> list[bytes]:
    return [ds.encode(), b" ", params["kind"].encode(), b" ", context["run_id"].encode()]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (make_file_object, b"from a file object"),
        (make_chunks, b"from a generator"),
        (make_with_context, b"2026-11-21 csv manual__1"),
        (lambda run_id: [run_id.encode()], b"manual__1"),
    ],
    ids=["file object", "generator", "context", "lambda"],
)
def test_stream_function(run: Run, stream: Callable[..., Any], expected: bytes) -> None:
    """A function is called once when the task runs, with the context's values that it names; its stream is stored."""
    result = run(lambda: OSSPutStreamOperator(task_id="upload", key="key", stream=stream))
    assert read("key") == expected
    assert result["size"] == len(expected)


@pytest.mark.parametrize("make", [lambda path: path.as_uri(), lambda path: ObjectStoragePath(path.as_uri())])
def test_stream_of_a_path(run: Run, file: Path, make: Callable[[Path], Any]) -> None:
    """An ObjectStoragePath, or the URL of one, is read as a stream."""
    stream = make(file)
    result = run(lambda: OSSPutStreamOperator(task_id="upload", key="key", stream=stream))
    assert read("key") == DATA
    assert result["size"] == len(DATA)


def test_stream_url_is_templated(run: Run, file: Path) -> None:
    """The URL of a stream, and the length, may be templates."""
    url = file.as_uri().replace("dump", "{{ 'dump' }}")
    length = "{{ 4 * 100 * 1024 }}"
    run(lambda: OSSPutStreamOperator(task_id="upload", key="key", stream=url, content_length=length))
    assert read("key") == DATA


def test_stream_that_fails(run: Run) -> None:
    """An error of the stream is passed on as it is, and nothing is stored."""

    def failing() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionAbortedError("the database went away")

    with pytest.raises(ConnectionAbortedError, match="the database went away"):
        run(lambda: OSSPutStreamOperator(task_id="upload", key="key", stream=failing))
    assert not OSSHook().object_exists("key")


def test_stream_function_is_the_same_in_every_serialization() -> None:
    """What the serialized DAG shows of a function does not change from one parse to the next."""
    operators = [OSSPutStreamOperator(task_id="upload", key="k", stream=make_chunks) for _ in range(2)]
    assert repr(operators[0].stream) == repr(operators[1].stream) == "<callable make_chunks>"


# OSSResumableUploadOperator


class InterruptedTaskError(Exception):
    """Ends an attempt in the middle."""


def resumable(file: Path, **changes: Any) -> Build:
    arguments: dict[str, Any] = {
        "task_id": "upload", "key": "key", "file_path": str(file), "part_size": PART_BYTES, "parallel": 1,
    }  # fmt: skip
    return lambda: OSSResumableUploadOperator(**(arguments | changes))


def interrupt_after(parts: int) -> Callable[..., None]:
    """Return a progress callback that ends the attempt after so many parts."""
    seen: list[float] = []

    def progress(fraction: float, *_: Any) -> None:
        seen.append(fraction)
        if len(seen) == parts:
            raise InterruptedTaskError

    return progress


@pytest.mark.parametrize("checkpoint", ["auto", *STORES])
def test_retry_continues(run: Run, supervisor: Supervisor, server: OSSEmulator, file: Path, checkpoint: str) -> None:
    """With every store a second attempt sends what the first did not, and leaves nothing behind anywhere."""
    with pytest.raises(InterruptedTaskError):
        run(resumable(file, checkpoint=checkpoint, progress=interrupt_after(2)))
    assert not supervisor.holds_nothing()

    result = run(resumable(file, checkpoint=checkpoint))

    assert read("key") == DATA
    assert (result["resumed"], result["attempts"]) == (True, 2)
    assert result["bytes_verified"] >= 2 * PART_BYTES
    assert result["bytes_sent"] + result["bytes_verified"] == len(DATA)
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []
    assert [request.operation for request in server.requests].count("InitiateMultipartUpload") == 1


@pytest.mark.parametrize("checkpoint", ["xcom:notify", "xcom:{{ 'notify' }}"])
def test_anchor(run: Run, supervisor: Supervisor, file: Path, checkpoint: str) -> None:
    """The XCom of the named anchor holds the checkpoint."""
    with pytest.raises(InterruptedTaskError):
        run(resumable(file, checkpoint=checkpoint, progress=interrupt_after(1)))
    [(dag_id, run_id, task_id, *_)] = [each for each in supervisor.xcoms if each[-1].startswith("oss_upload")]
    assert (dag_id, run_id, task_id) == ("export", "manual__1", "notify")


def test_checkpoint_anchor(run: Run, supervisor: Supervisor, file: Path) -> None:
    """The argument of old names it too, and warns, in the line of the DAG file, with what to write."""
    with (
        pytest.warns(AirflowProviderDeprecationWarning, match="write checkpoint='xcom:notify'") as warned,
        pytest.raises(InterruptedTaskError),
    ):
        run(resumable(file, checkpoint="xcom", checkpoint_anchor="notify", progress=interrupt_after(1)))
    ours = [warning for warning in warned if issubclass(warning.category, AirflowProviderDeprecationWarning)]
    assert [warning.filename for warning in ours] == [__file__]
    [(dag_id, run_id, task_id, *_)] = [each for each in supervisor.xcoms if each[-1].startswith("oss_upload")]
    assert (dag_id, run_id, task_id) == ("export", "manual__1", "notify")


@pytest.mark.filterwarnings("ignore:checkpoint_anchor is deprecated")
@pytest.mark.parametrize("checkpoint", ["xcom:notify", "xcom:{{ 'notify' }}"])
def test_two_anchors(run: Run, server: OSSEmulator, file: Path, checkpoint: str) -> None:
    """Two arguments that name two tasks are refused: by the DAG file, or where a template names one, by the attempt."""
    with pytest.raises(REFUSED, match="checkpoint='xcom:notify' and checkpoint_anchor='other' name two tasks"):
        run(resumable(file, checkpoint=checkpoint, checkpoint_anchor="other"))
    assert server.requests == ()


def test_store_of_the_user(run: Run, supervisor: Supervisor, file: Path) -> None:
    """An object with load, save and delete is used as the store."""
    store = MemoryStore()
    with pytest.raises(InterruptedTaskError):
        run(resumable(file, checkpoint=store, progress=interrupt_after(2)))
    assert store.upload_id is not None
    assert run(resumable(file, checkpoint=store))["resumed"]
    assert (store.upload_id, supervisor.holds_nothing()) == (None, True)


def test_progress(run: Run, file: Path) -> None:
    """The callback hears of every part: how far, the checkpoint, and what OSS answered."""
    heard: list[tuple[float, Any, Any]] = []
    run(resumable(file, progress=lambda *arguments: heard.append(arguments)))
    assert [fraction for fraction, *_ in heard] == [0.25, 0.5, 0.75, 1.0]
    assert heard[1][1].done_parts == "1-2"
    assert [part.number for *_, part in heard] == [1, 2, 3, 4]


def interrupted_by(
    operator: OSSResumableUploadOperator, context: Context, kill: Callable[[], None]
) -> OSSResumableUploadOperator:
    operator.progress = lambda *_: kill()
    with pytest.raises(OSSUploadCancelled, match="asked to stop"):
        operator.execute(context)
    return operator


@pytest.mark.parametrize("from_thread", [False, True], ids=["in this thread", "in another"])
def test_on_kill(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[Any], Context],
    supervisor: Supervisor,
    file: Path,
    *,
    from_thread: bool,
) -> None:
    """``on_kill`` stops the upload soon with a transient error and loses nothing; the next attempt continues."""
    operator = in_dag(resumable(file))
    context = context_of(operator)

    def kill() -> None:
        if from_thread:
            thread = threading.Thread(target=operator.on_kill)
            thread.start()
            thread.join()
        else:
            operator.on_kill()

    interrupted_by(operator, context, kill)
    assert not supervisor.holds_nothing()

    operator.progress = None
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert result["resumed"]
    assert result["bytes_sent"] < len(DATA)
    assert read("key") == DATA


def test_on_kill_before_anything(file: Path) -> None:
    """A task that is told to stop before it began has nothing to do for it."""
    resumable(file)().on_kill()


def test_small_file(run: Run, supervisor: Supervisor, server: OSSEmulator, tmp_path: Path) -> None:
    """A file of one part needs no upload in parts and no checkpoint."""
    small = tmp_path / "small"
    small.write_bytes(b"x")
    assert run(resumable(small))["bytes_sent"] == 1
    assert [request.operation for request in server.requests] == ["PutObject"]
    assert supervisor.holds_nothing()


def test_checkpoint_of_a_person(run: Run, supervisor: Supervisor, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unreadable checkpoint is reported with its text and replaced; the upload is made anew."""
    with pytest.raises(InterruptedTaskError):
        run(resumable(file, checkpoint="variable", progress=interrupt_after(1)))
    [key] = supervisor.variables
    broken = json.dumps({"upload_id": "remember me"})
    supervisor.plant_variable(key, broken)

    result = run(resumable(file, checkpoint="variable"))

    assert not result["resumed"]
    assert "remember me" in caplog.text
    assert supervisor.holds_nothing()
