"""``@task.oss_upload`` against the local OSS server: what it is given, later attempts, errors, skipping, mapping."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Context,
    ObjectStoragePath,
    XComArg,
    task,
)

from airflow_provider_oss.decorators.oss_upload import OSSUploadDecoratedOperator, oss_upload_task
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSInvalidArgument, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.oss import OSSResumableStreamOperator
from airflow_provider_oss.operators.resumable import OSSStreamBaseOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import DATA, Build, Run
from tests.support.airflow_version import IS_AIRFLOW_2, STORES
from tests.support.sources import descriptors_of, slices_of
from tests.support.stores import MemoryStore

PART_BYTES = 100 * KIB


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def read(key: str = "key") -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def operator_of(result: Any) -> Any:
    """Return the operator whose result that is: of whatever kind, it is an XComArg."""
    return result.operator


def uploaded(function: Callable[..., Any], *op_args: Any, op_kwargs: Any = None, **changes: Any) -> Build:
    """Return what makes the task of a function, called in the DAG with these arguments."""
    arguments: Any = {"key": "key", "part_size": PART_BYTES, "parallel": 1, "task_id": "upload"}

    def build() -> Any:
        return operator_of(oss_upload_task(**(arguments | changes))(function)(*op_args, **(op_kwargs or {})))

    return build


@pytest.mark.parametrize("arguments", [{"mode": "w"}, {"mode": "w", "compression": "gzip"}])
def test_a_file_that_the_function_does_not_close(run: Run, arguments: dict[str, str]) -> None:
    """What a library opened and never closed is not stored, so the task fails, for good, and names it."""

    def rows() -> bytes:
        ObjectStoragePath("oss://exports/lost.csv").open(**arguments).write("a,b")
        return b"rows"

    # Airflow 2.11 wraps the file by itself: what its wrapper holds back is not counted, what gzip begins with may be
    counted = r"\d+" if IS_AIRFLOW_2 else "3"
    lost = rf"OSSFileNotClosed: not closed, .*: oss://exports/lost.csv \({counted} bytes\); open it in a `with` block"
    with pytest.warns(ResourceWarning), pytest.raises(AirflowFailException, match=lost):
        run(uploaded(rows))
    assert not OSSHook().object_exists("lost.csv")


class TheFunctionBrokeError(Exception):
    """What a function raises."""


def breaking_at(size_bytes: int) -> Callable[[], Iterator[bytes]]:
    def rows() -> Iterator[bytes]:
        yield from slices_of(DATA[:size_bytes])
        raise TheFunctionBrokeError

    return rows


def skipping_at(size_bytes: int) -> Callable[[], Iterator[bytes]]:
    def rows() -> Iterator[bytes]:
        yield from slices_of(DATA[:size_bytes])
        raise AirflowSkipException("nothing today")

    return rows


def assert_nothing_left(supervisor: Supervisor) -> None:
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


# What a function gives


def generated() -> Iterator[bytes | str]:
    yield "naïve\n"
    yield DATA


def test_generator(run: Run, server: OSSEmulator) -> None:
    """What a function yields is stored in parts; the result is that of every upload."""
    result = run(uploaded(generated))
    assert read() == "naïve\n".encode() + DATA
    assert (result["uri"], result["size"], result["attempts"]) == ("oss://exports/key", len(DATA) + 7, 1)
    assert "UploadPart" in [request.operation for request in server.requests]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: path.open("rb"),
        lambda path: path.read_bytes(),
        lambda path: path,
        lambda path: ObjectStoragePath(path.as_uri()),
        lambda path: [path.read_bytes()],
    ],
    ids=["file object", "file", "bytes", "path", "object storage path", "list"],
)
def test_returned(run: Run, file: Path, make: Callable[[Path], Any]) -> None:
    """What a function returns is stored, whatever form it has, and nothing stays open."""
    assert run(uploaded(lambda: make(file)))["size"] == len(DATA)
    assert read() == DATA
    assert descriptors_of(file) == 0


def test_text_file(run: Run, tmp_path: Path) -> None:
    """Of a text file the text is stored, whatever its encoding was, and the file is closed."""
    path = tmp_path / "rows.csv"
    path.write_text("naïve\n", encoding="latin-1")
    run(uploaded(lambda: path.open(encoding="latin-1")))
    assert read() == "naïve\n".encode()
    assert descriptors_of(path) == 0


def test_compression(run: Run, file: Path) -> None:
    """Anything can be compressed on its way, a file too."""
    run(uploaded(lambda: file, compression="gzip", key="dump.bin.gz"))
    assert gzip.decompress(read("dump.bin.gz")) == DATA


def test_nothing_at_all(run: Run) -> None:
    """A generator without output makes an empty object."""
    assert run(uploaded(lambda: iter(())))["size"] == 0
    assert read() == b""


@pytest.mark.parametrize("value", [None, 7, {"rows": 7}])
def test_what_cannot_be_stored(run: Run, server: OSSEmulator, value: Any) -> None:
    """Any other value fails the task at once, and names the function; nothing is sent."""

    def rows() -> Any:
        return value

    with pytest.raises(AirflowFailException, match=r"rows returned .*return or yield bytes or str") as caught:
        run(uploaded(rows))
    assert type(caught.value.__cause__) is OSSInvalidArgument
    assert server.requests == ()


def test_a_wrong_chunk(run: Run) -> None:
    """A wrong value among right ones fails the task at once, and nothing is published."""

    def rows() -> Iterator[Any]:
        yield DATA
        yield 7

    with pytest.raises(AirflowFailException, match="rows gave an int"):
        run(uploaded(rows))
    assert not OSSHook().object_exists("key")


# Arguments of the function


def test_arguments(run: Run) -> None:
    """The function gets its own arguments, templates in them rendered, and the context's values that it names."""

    def rows(first: str, *, second: str, ds: str, params: Any = None, **others: Any) -> str:
        return f"{first} {second} {ds} {params['kind']} {others['run_id']}"

    run(uploaded(rows, "{{ ds }}", op_kwargs={"second": "{{ params.kind }}"}))
    assert read() == b"2026-11-21 csv 2026-11-21 csv manual__1"


def test_templates(run: Run) -> None:
    """Every text of the upload is a template; it sees the context and the function's arguments."""
    result = run(
        uploaded(
            lambda table: table,
            op_kwargs={"table": "{{ 'ord' ~ 'ers' }}"},
            key="{{ ds }}/{{ task.op_kwargs['table'] }}.csv.gz",
            meta={"run": "{{ run_id }}"},
            mime="text/{{ params.kind }}",
            compression="{{ 'gzip' }}",
            part_size="{{ 100 * 1024 }}",
        )
    )
    assert result["key"] == "2026-11-21/orders.csv.gz"
    assert gzip.decompress(read(result["key"])) == b"orders"
    found = OSSHook().head_object(result["key"])
    assert (found.meta, found.content_type) == ({"run": "manual__1"}, "text/csv")


def test_template_fields() -> None:
    """What the function and the upload have as templates is a template here, and each once."""
    fields = OSSUploadDecoratedOperator.template_fields
    assert fields[:2] == ("op_args", "op_kwargs")
    assert set(fields[2:]) == set(OSSStreamBaseOperator.template_fields)
    assert set(fields[2:]) == set(OSSResumableStreamOperator.template_fields) - {"stream"}
    assert len(fields) == len(set(fields))
    assert set(OSSUploadDecoratedOperator.template_fields_renderers) <= set(fields)


def test_airflow_knows_it(run: Run) -> None:
    """``@task.oss_upload`` is what ``oss_upload_task`` makes; default arguments and ``override`` reach it."""

    def build() -> Any:
        @task.oss_upload(key="key")
        def rows() -> bytes:
            """Tell what it is about."""
            return DATA

        return operator_of(rows.override(task_id="other", key="second/key")())

    with DAG("defaults", schedule=None, default_args={"oss_conn_id": "another", "retries": 7}):
        operator = build()
    assert (operator.task_type, operator.custom_operator_name) == ("OSSUploadDecoratedOperator", "@task.oss_upload")
    assert (operator.task_id, operator.key) == ("other", "second/key")
    assert (operator.oss_conn_id, operator.retries) == ("another", 7)
    assert operator.doc_md == "Tell what it is about."
    assert run(build)["key"] == "second/key"


def test_a_key_is_needed() -> None:
    """Without a key the DAG does not load, and says why."""
    with (
        DAG("export", schedule=None),
        pytest.raises((TypeError, AirflowException), match="missing keyword argument 'key'"),
    ):
        oss_upload_task(generated)()  # type: ignore[call-arg]


def test_upstream() -> None:
    """A result of another task is an argument, of the function or of the upload; the other task comes first."""
    with DAG("export", schedule=None):

        @task
        def first() -> str:
            return "name"

        @task
        def second() -> str:
            return "name"

        @oss_upload_task(key=second())
        def rows(name: Any) -> str:
            return str(name)

        operator = operator_of(rows(first()))
    assert operator.upstream_task_ids == {"first", "second"}


def test_the_result_is_one_xcom() -> None:
    """The result is one value, unless it is asked for by its fields."""
    with DAG("export", schedule=None):
        assert not operator_of(oss_upload_task(key="key")(generated)()).multiple_outputs
        result: Any = oss_upload_task(key="key", multiple_outputs=True)(generated)()
        uri = result["uri"]
    assert isinstance(uri, XComArg)
    assert operator_of(uri).multiple_outputs


def words(day: str, kind: str) -> str:
    return f"{day} {kind}"


def test_mapping(context_of: Callable[[Any], Context]) -> None:
    """It is mapped over the function's arguments, of which the key can make use."""
    with DAG("export", schedule=None):
        mapped = operator_of(
            oss_upload_task(key="{{ task.op_kwargs['day'] }}/{{ task.op_kwargs['kind'] }}.txt")(words)
            .partial(kind="csv")
            .expand(day=["mon", "tue"])
        )
    instance = mapped.unmap({"op_kwargs": {"day": "tue"}})
    context = context_of(instance)
    instance.render_template_fields(context)
    assert instance.execute(context)["key"] == "tue/csv.txt"
    assert read("tue/csv.txt") == b"tue csv"


# Later attempts


@pytest.mark.parametrize("checkpoint", ["auto", *STORES])
def test_retry_continues(run: Run, supervisor: Supervisor, server: OSSEmulator, checkpoint: str) -> None:
    """A second attempt calls the function again and sends what the first did not, and leaves nothing behind."""
    with pytest.raises(TheFunctionBrokeError):
        run(uploaded(breaking_at(3 * PART_BYTES), checkpoint=checkpoint))
    assert not OSSHook().object_exists("key")
    assert not supervisor.holds_nothing()

    result = run(uploaded(lambda: slices_of(DATA, 777), checkpoint=checkpoint))

    assert read() == DATA
    assert (result["resumed"], result["attempts"]) == (True, 2)
    assert (result["bytes_verified"], result["bytes_sent"]) == (3 * PART_BYTES, len(DATA) - 3 * PART_BYTES)
    assert_nothing_left(supervisor)
    assert [request.operation for request in server.requests].count("InitiateMultipartUpload") == 1


def test_a_path_continues(run: Run, supervisor: Supervisor, file: Path, server: OSSEmulator) -> None:
    """A file is stored as one, and continued from a copy of it at another place."""
    server.faults.add(Fault(operation="UploadPart", part_number=3, code="AccessDenied", times=1))
    with pytest.raises(AirflowFailException):
        run(uploaded(lambda: file))

    with tempfile.NamedTemporaryFile() as copy:
        copy.write(DATA)
        copy.flush()
        result = run(uploaded(lambda: Path(copy.name)))
    assert read() == DATA
    assert result["bytes_verified"] >= 2 * PART_BYTES
    assert_nothing_left(supervisor)


def test_beginning_anew_calls_the_function_again(run: Run, server: OSSEmulator) -> None:
    """When the upload is gone in the middle of an attempt, the function is called again, with the same arguments."""
    calls = []

    def rows(name: str) -> Iterator[bytes]:
        calls.append(name)
        yield DATA

    server.faults.add(Fault(operation="UploadPart", part_number=3, code="NoSuchUpload", times=1))
    run(uploaded(rows, "orders"))
    assert calls == ["orders", "orders"]
    assert read() == DATA


def test_the_checkpoint_names_the_function(run: Run) -> None:
    """For people the checkpoint has the function's name."""
    store = MemoryStore()
    with pytest.raises(TheFunctionBrokeError):
        run(uploaded(breaking_at(2 * PART_BYTES), checkpoint=store))
    assert store.saved[0].source.name == "breaking_at.<locals>.rows"


def test_on_kill(in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context], supervisor: Supervisor) -> None:
    """``on_kill`` stops the upload with a transient error, closes the generator and loses nothing."""
    ended = []

    def rows() -> Iterator[bytes]:
        try:
            yield from slices_of(DATA)
        finally:
            ended.append(True)

    operator = in_dag(uploaded(rows))
    context = context_of(operator)
    operator.progress = lambda *_: operator.on_kill()
    with pytest.raises(OSSUploadCancelled, match="asked to stop"):
        operator.execute(context)
    assert ended == [True]
    assert not supervisor.holds_nothing()

    operator.progress = None
    operator.render_template_fields(context)
    assert operator.execute(context)["resumed"]
    assert read() == DATA


# Errors


ERRORS = [AirflowFailException("no such table"), OSError("away"), TheFunctionBrokeError("x")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_errors_of_the_function(run: Run, error: Exception) -> None:
    """What the function raises comes out as it is, so that Airflow retries it or not; nothing is published."""

    def at_once() -> bytes:
        raise error

    def in_the_middle() -> Iterator[bytes]:
        yield DATA
        raise error

    for function in (at_once, in_the_middle):
        with pytest.raises(type(error)) as caught:
            run(uploaded(function))
        assert caught.value is error
        assert caught.value.__cause__ is None
        assert not OSSHook().object_exists("key")


def test_generator_ends_when_the_upload_fails(run: Run, server: OSSEmulator) -> None:
    """A generator's finally block runs before the task fails, also when it was never begun anew."""
    ended = []

    def rows() -> Iterator[bytes]:
        try:
            yield from slices_of(DATA)
        finally:
            ended.append(True)

    server.faults.add(Fault(operation="UploadPart", part_number=2, code="AccessDenied"))
    with pytest.raises(AirflowFailException) as caught:
        run(uploaded(rows))
    assert isinstance(caught.value.__cause__, OSSAccessDenied)
    assert ended == [True]


@pytest.mark.parametrize(
    "changes", [{"key": "/"}, {"oss_conn_id": "missing"}, {"part_size": 7}, {"forbid_overwrite": True}]
)
def test_file_is_closed_when_the_upload_fails(run: Run, file: Path, changes: dict[str, Any]) -> None:
    """A file that the function opened is closed, even if it was never read."""
    OSSHook().put_object("key", b"there already")
    with pytest.raises(Exception):  # noqa: B017, PT011 - of many kinds
        run(uploaded(lambda: file.open("rb"), **changes))
    assert descriptors_of(file) == 0


def test_wrong_arguments_are_seen_before_the_function_is_called(run: Run) -> None:
    """A function that may take hours is not called when the upload could not follow."""
    calls: list[bool] = []
    for changes in ({"compression": "zip"}, {"checkpoint": "nowhere"}, {"part_size": "many"}):
        with pytest.raises(AirflowFailException):
            run(uploaded(lambda: calls.append(True), **changes))
    assert calls == []


# Skipping


def test_skipping(run: Run, supervisor: Supervisor, server: OSSEmulator) -> None:
    """A function that says so skips the task; where nothing was begun, OSS is not even asked."""

    def rows() -> bytes:
        raise AirflowSkipException("nothing today")

    with pytest.raises(AirflowSkipException, match="nothing today"):
        run(uploaded(rows))
    assert server.requests == ()
    assert_nothing_left(supervisor)


@pytest.mark.parametrize("checkpoint", ["auto", "variable", "xcom"])
@pytest.mark.parametrize("at", [0, 3 * PART_BYTES])
def test_skipping_leaves_nothing(run: Run, supervisor: Supervisor, checkpoint: str, at: int) -> None:
    """What an earlier attempt began, and this one went on with, is aborted when the task is skipped."""
    with pytest.raises(TheFunctionBrokeError):
        run(uploaded(breaking_at(2 * PART_BYTES), checkpoint=checkpoint))
    assert [upload.ref.key for upload in OSSHook().list_multipart_uploads()] == ["key"]

    with pytest.raises(AirflowSkipException, match="nothing today"):
        run(uploaded(skipping_at(at), checkpoint=checkpoint))
    assert_nothing_left(supervisor)
    assert not OSSHook().object_exists("key")


def test_skipping_before_the_function(
    run: Run,
    in_dag: Callable[[Build], Any],
    context_of: Callable[[Any], Context],
    supervisor: Supervisor,
) -> None:
    """So it is when ``@task.skip_if`` skips the task, and the hook of the user's own runs as always."""
    with pytest.raises(TheFunctionBrokeError):
        run(uploaded(breaking_at(2 * PART_BYTES)))

    seen: list[Any] = []

    def build() -> Any:
        @task.skip_if(lambda context: context["ds"] == "2026-11-21", "no work today")
        @oss_upload_task(key="key", pre_execute=seen.append)
        def upload() -> bytes:
            return DATA

        return operator_of(upload())

    operator = in_dag(build)
    context = context_of(operator)
    with pytest.raises(AirflowSkipException, match="no work today"):
        operator._pre_execute_hook(context)
    assert seen == [context]
    assert_nothing_left(supervisor)


def test_skipping_when_oss_cannot_be_asked(run: Run, supervisor: Supervisor, server: OSSEmulator) -> None:
    """If the abort fails, that error is raised, and a later attempt that skips leaves nothing."""
    with pytest.raises(TheFunctionBrokeError):
        run(uploaded(breaking_at(2 * PART_BYTES)))
    server.faults.add(Fault(operation="AbortMultipartUpload", code="SecurityTokenExpired"))
    with pytest.raises(Exception, match="SecurityTokenExpired"):
        run(uploaded(skipping_at(0)))
    assert not supervisor.holds_nothing()

    server.faults.clear()
    with pytest.raises(AirflowSkipException):
        run(uploaded(skipping_at(0)))
    assert_nothing_left(supervisor)


def test_a_stream_that_skips_leaves_nothing(run: Run, supervisor: Supervisor) -> None:
    """The same holds for the function of OSSResumableStreamOperator."""
    arguments: dict[str, Any] = {"task_id": "upload", "key": "key", "part_size": PART_BYTES, "parallel": 1}
    with pytest.raises(TheFunctionBrokeError):
        run(lambda: OSSResumableStreamOperator(stream=breaking_at(2 * PART_BYTES), **arguments))
    with pytest.raises(AirflowSkipException):
        run(lambda: OSSResumableStreamOperator(stream=skipping_at(PART_BYTES), **arguments))
    assert_nothing_left(supervisor)
