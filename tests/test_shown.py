"""Text from outside in logs and errors: one line an event, whatever a key, a file's name or a server says."""

from __future__ import annotations

import io
import logging
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

import airflow_provider_oss
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSProviderError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.operators.objects import OSSDeleteObjectsOperator, OSSListOperator
from airflow_provider_oss.operators.oss import OSSPutObjectOperator
from airflow_provider_oss.operators.tags import OSSGetObjectTagsOperator
from airflow_provider_oss.shown import Log, a_type, printable, shortened
from airflow_provider_oss.watch import KeyWatch, WatchedKeys
from tests.clients.support import canned_server, client_of
from tests.conftest import BUCKET

FORGED = "\n[2026-01-01] INFO - all is well\r\x85\u2028\u202e"
LOG = Log(__name__)


def shows_it_all(text: str) -> bool:
    """Whether no character of the text ends its line or does anything else to a terminal."""
    return not {character for character in text if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")}


@pytest.mark.parametrize(
    ("value", "expected"), [(5, "an int"), ("a", "a str"), (object(), "an object"), (b"", "a bytes")]
)
def test_types(value: object, expected: str) -> None:
    """What a value is has its article."""
    assert a_type(value) == expected


@given(st.text(st.characters()))
def test_printable(text: str) -> None:
    """What can be shown stays as it is, all else is escaped; what was escaped stays so."""
    shown = printable(text)
    assert shows_it_all(shown)
    assert printable(shown) == shown
    shown.encode()


def test_text_that_can_be_shown() -> None:
    """Text of any language is shown as it is, and so are backslashes."""
    for text in ("größe", "数据/日报.csv", r"C:\temp\new", "👩‍🚀", "a b"):
        assert printable(text) == text


def test_shortened() -> None:
    """A text that is too long is cut off, and says so."""
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "abc... (cut off, it has 4 characters)"


def test_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A record has the place of who logs, its numbers as they are, and its texts on one line."""
    with caplog.at_level(logging.INFO):
        LOG.info("%s has %d bytes, %.1f %%", Path("a\nb"), 3, 0.25)
    [record] = caplog.records
    assert record.getMessage() == "a\\nb has 3 bytes, 0.2 %"
    assert (record.name, record.filename, record.funcName) == (__name__, "test_shown.py", "test_a_line_of_the_log")
    assert record.msg == "%s has %d bytes, %.1f %%"


def test_every_line_of_the_log_is_shown_so() -> None:
    """Nothing in the package logs by other means: neither by a logger of its own nor by Airflow's of an operator."""
    package = Path(airflow_provider_oss.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "emulator" not in path.relative_to(package).parts:
            assert "getLogger(__name__)" not in text, path
            assert "self.log" not in text.replace("self.logger", ""), path


@pytest.fixture
def hook(connect: Callable[..., str]) -> OSSHook:
    """A hook of the local OSS server."""
    connect()
    return patient(OSSHook())


def patient(hook: OSSHook) -> OSSHook:
    """Let the hook repeat a failed call once, and soon."""
    hook.retry = RetryPolicy(tries=2, first_delay_seconds=0.001)
    return hook


def execute(operator: OSSBaseOperator) -> object:
    patient(operator.hook)
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="a", map_index=-1, try_number=1, max_tries=0)
    ti.xcom_push = lambda **_: None
    return operator.execute({"ti": ti})  # type: ignore[typeddict-item]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose name forges a line of the log."""
    folder = tmp_path / f"folder{FORGED.replace('/', '-')}"
    folder.mkdir()
    made = folder / f"name{FORGED.replace('/', '-')}"
    made.write_bytes(bytes(300 * 1024))
    return made


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return what the package has logged."""
    with caplog.at_level(logging.DEBUG, "airflow_provider_oss"):
        yield lambda: [one.getMessage() for one in caplog.records if one.name.startswith("airflow_provider_oss.")]


def uses(hook: OSSHook, file: Path, key: str) -> dict[str, Callable[[], object]]:
    name = FORGED.replace("/", "-")
    return {
        "upload_file": lambda: hook.upload_file(key, file, part_size=100 * 1024),
        "put_file": lambda: hook.put_file(key, file),
        "upload_stream": lambda: hook.upload_stream(key, lambda: io.BytesIO(b"data")),
        "upload_files": lambda: list(hook.upload_files([(key, file), (f"{key}2", f"absent{name}")])),
        "upload_directory": lambda: hook.upload_directory(f"{key}/", file.parent),
        "upload_batch": lambda: hook.upload_batch(f"{key}/", {f"absent{name}": f"absent{name}", "a": file}),
        "a dry run": lambda: hook.upload_directory(f"{key}/", file.parent, dry_run=True, skip_unchanged=False),
        "download_file": lambda: hook.download_file(key, file.with_name(f"downloaded{name}")),
        "resume_download": lambda: hook.resume_download(key, file.with_name(f"resumed{name}")),
        "copy_object": lambda: hook.copy_object(key, f"{key} copy"),
        "read_object": lambda: hook.read_object(key),
        "look for keys": lambda: KeyWatch(WatchedKeys((key, f"absent{name}"))).look(hook),
        "put operator": lambda: execute(OSSPutObjectOperator(task_id="a", key=key, data="x")),
        "list operator": lambda: execute(OSSListOperator(task_id="b", prefix=key)),
        "tags operator": lambda: execute(OSSGetObjectTagsOperator(task_id="c", key=key)),
        "delete operator": lambda: execute(OSSDeleteObjectsOperator(task_id="d", keys=[key])),
    }


def test_names_with_line_breaks(hook: OSSHook, server: OSSEmulator, file: Path, lines: Callable[[], list[str]]) -> None:
    """A key or a file's name that has line breaks forges no line of the log, whatever is done with it or fails."""
    key = f"key{FORGED}"
    for _ in range(2):
        for name, use in uses(hook, file, key).items():
            with suppress(OSSProviderError, AirflowFailException):
                use()
            assert [line for line in lines() if not shows_it_all(line)] == [], name
        server.faults.add(Fault(code="InternalError", message=f"no{FORGED}"))
    shown = "\n".join(lines())
    assert printable(key) in shown
    assert printable(file.name) in shown
    assert "no\\n[2026-01-01] INFO - all is well" in shown


def refusal(**said: str) -> bytes:
    return f"<Error>{''.join(f'<{name}>{text}</{name}>' for name, text in said.items())}</Error>".encode()


@pytest.mark.parametrize("status", [403, 503])
def test_an_answer_with_line_breaks(status: int) -> None:
    """Whatever element or header of a refusal has line breaks: the error is one line and has all that was said."""
    said = {name: f"{name}&#10;forged\u2028\x85" for name in ("Code", "Message", "EC", "Endpoint", "RequestId")}
    headers = {"Content-Type": "application/xml", "Content-Length": str(len(refusal(**said)))}
    with (
        canned_server(status, headers, refusal(**said), request_id="R\x85[2J") as url,
        pytest.raises(OSSProviderError) as caught,
    ):
        client_of(url).list_objects(BUCKET, "", "", "")
    for text in ("Code", "Message", "EC", "Endpoint"):
        assert f"{text}\\nforged\\u2028\\x85" in str(caught.value)
    assert shows_it_all(str(caught.value))
    assert "request_id=R\\x85[2J" in str(caught.value)


def test_a_message_without_end() -> None:
    """Of a message of 8 MB the beginning is shown, and the remedy all the same; a made-up document likewise."""
    body = refusal(Code="AccessDenied", Message="x" * 8_000_000)
    with (
        canned_server(403, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSProviderError, match=r"cut off, it has 8000000 characters\); check the RAM policy") as caught,
    ):
        client_of(url).list_objects(BUCKET, "", "", "")
    assert len(str(caught.value)) < 2000
    body = b"<%s/>" % (b"x" * 8_000_000)
    with (
        canned_server(200, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSProviderError, match="cut off") as caught,
    ):
        client_of(url).list_objects(BUCKET, "", "", "")
    assert len(str(caught.value)) < 2000
