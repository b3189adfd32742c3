"""
What every operator does with the result of its work: it logs it, returns it, and fails if some of it failed.

Where some files failed the result is in XCom, and its error is raised whatever becomes of that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, BaseSensorOperator

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.tree.result import FilesResult, TreeResult
from airflow_provider_oss.exceptions import OSSPermanentError, OSSProviderError, OSSTransientError
from airflow_provider_oss.model import PlainResult, Result
from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from airflow_provider_oss.transfers.many import StoredAll
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import Run
from tests.operators.leavable import ARGUMENTS
from tests.support.discovery import operators
from tests.support.source_text import ROOT, occurrences
from tests.support.trees import write_tree

RESULTS: dict[type[Result], Callable[[Path], BaseOperator]] = {
    TreeResult: lambda folder: OSSUploadDirectoryOperator(task_id="upload", directory=folder, key="to"),
    FilesResult: lambda folder: OSSUploadFilesOperator(task_id="upload", files=[folder / "a", folder / "b"], key="to"),
    StoredAll: lambda folder: ObjectStorageToOSSOperator(
        task_id="upload", source=f"file://{folder}/*", prefix="to", forbid_overwrite=True, mime="text/x-new"
    ),
}
"""For each result that may have failures, an operator with it: here, files that will never be stored."""


def test_one_home() -> None:
    """A result is pushed, and its failures are raised, in one place; each kind of result is tried here."""
    assert occurrences(r"xcom_push\(key=\"return_value\"") == {"operators/base.py"}
    assert occurrences(r"result\.raise_failures\(\)") == {"operators/base.py"}
    makers = {str(Path(kind.__module__.replace(".", "/")).relative_to(ROOT.name)) + ".py" for kind in RESULTS}
    assert occurrences(r"def raise_failures\(self\) -> None:") - {"model.py"} == makers


@pytest.fixture(params=RESULTS.values(), ids=[kind.__name__ for kind in RESULTS])
def failing(
    request: pytest.FixtureRequest, connect: Callable[..., str], server: OSSEmulator, tmp_path: Path
) -> Callable[[], BaseOperator]:
    """Make an operator all whose files fail for good."""
    connect()
    folder = write_tree(tmp_path / "tree", {"a": b"1", "b": b"2"})
    server.faults.add(Fault(operation="PutObject", status=409, code="FileAlreadyExists", times=9))
    return lambda: request.param(folder)


def test_what_failed_is_pushed(run: Run, failing: Callable[[], BaseOperator], supervisor: Supervisor) -> None:
    """The result is in XCom, though the task has failed."""
    supervisor.task_ids = ("notify", "upload")
    with pytest.raises(AirflowFailException):
        run(failing)
    [pushed] = [value for key, value in supervisor.xcoms.items() if "return_value" in key]
    assert pushed["failed"]


def test_what_cannot_be_pushed(run: Run, failing: Callable[[], BaseOperator], supervisor: Supervisor) -> None:
    """Where XCom fails the task fails for good all the same, and its error says of what."""
    supervisor.task_ids = ()
    with pytest.raises(AirflowFailException, match="2 of 2 files") as caught:
        run(failing)
    assert isinstance(caught.value.__cause__, OSSPermanentError)
    pushing: Any = caught.value.__cause__.__context__
    assert pushing is not None


# Every operator


def is_task(kind: type[BaseOperator]) -> bool:
    return not issubclass(kind, BaseSensorOperator)


EVERY = pytest.mark.parametrize("name", sorted(name for name, kind in operators().items() if is_task(kind)))


@dataclass(frozen=True, slots=True)
class Failed(Result):
    """A result of which some failed."""

    error: type[OSSProviderError] = OSSTransientError

    def describe(self) -> str:
        return "1 of 2 failed"

    def as_dict(self) -> dict[str, Any]:
        return {"failed": 1}

    @property
    def has_failures(self) -> bool:
        return True

    def raise_failures(self) -> None:
        raise self.error("1 of 2")


@pytest.fixture
def executing(connect: Callable[..., str], tmp_path: Path) -> Callable[..., tuple[Callable[[], Any], list[Any]]]:
    """Make an operator whose work has this result; return its execution, and what that pushes."""
    connect()

    def make(name: str, result: Result, **arguments: Any) -> tuple[Callable[[], Any], list[Any]]:
        with DAG("export", schedule=None):
            operator: Any = operators()[name](task_id="task", **ARGUMENTS[name](tmp_path), **arguments)
        pushed: list[Any] = []
        operator.work = lambda _: result

        def push(**given: Any) -> None:
            if not given["key"].startswith("oss_transfer"):
                pushed.append(given)

        ti = SimpleNamespace(xcom_push=push)
        return lambda: operator.execute({"ti": ti}), pushed

    return make


@EVERY
def test_one_execute(name: str) -> None:
    """No operator has an ``execute`` of its own."""
    own = [one for one in operators()[name].__mro__ if one.__module__.startswith("airflow_provider_oss.")]
    assert [one.__name__ for one in own if "execute" in vars(one)] == ["OSSBaseOperator"]
    assert any("work" in vars(one) for one in own if one is not OSSBaseOperator)


@EVERY
def test_success(executing: Any, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """The log has one line of what was done, and the task returns the data; nothing is pushed beside that."""
    execute, pushed = executing(name, PlainResult({"done": 2}, "All is done"))
    with caplog.at_level(logging.INFO):
        assert execute() == {"done": 2}
    assert caplog.messages.count("All is done") == 1
    assert pushed == []


@EVERY
@pytest.mark.parametrize(
    ("kind", "raised"), [(OSSTransientError, OSSTransientError), (OSSPermanentError, AirflowFailException)]
)
def test_failure(
    executing: Any, caplog: pytest.LogCaptureFixture, name: str, kind: type[OSSProviderError], raised: type[Exception]
) -> None:
    """The result is pushed, for a task that raises returns nothing; Airflow retries what a retry may mend."""
    execute, pushed = executing(name, Failed(kind))
    with caplog.at_level(logging.INFO), pytest.raises(raised, match="1 of 2"):
        execute()
    assert "1 of 2 failed" in caplog.messages
    assert pushed == [{"key": "return_value", "value": {"failed": 1}}]


@EVERY
def test_failure_of_what_pushes_nothing(executing: Any, name: str) -> None:
    """Where the user wants nothing in XCom nothing is there, and the task fails all the same."""
    execute, pushed = executing(name, Failed(), do_xcom_push=False)
    with pytest.raises(OSSTransientError, match="1 of 2"):
        execute()
    assert pushed == []
