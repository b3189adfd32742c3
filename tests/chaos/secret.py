"""Nothing secret in anything that a run produces: logs at DEBUG, errors, reprs, results, checkpoints, progress."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.hooks.oss import OSSHook
from tests.chaos.deaths import STORES
from tests.chaos.edges import airflow_edges
from tests.chaos.scenario import Measured, Scenario, Scene
from tests.chaos.tasks import Job, attempt, make_task
from tests.chaos.world import CONN_ID, KEY_SECRET, TOKEN_LIFE_SECONDS, World, connection_json, demand
from tests.support.secret_search import find


@dataclass(slots=True)
class _Everything:
    """All text that a run left anywhere, by where it was found."""

    texts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, *values: Any) -> None:
        for value in values:
            self.texts += [(where, str(value)), (where, repr(value))]

    def add_error(self, error: BaseException | None) -> None:
        """Add the error and all that led to it, as a log would show it and as a debugger would."""
        demand(error is not None, "the fault is an error")
        assert error is not None
        self.add("traceback", "".join(traceback.format_exception(error)))
        chain: BaseException | None = error
        while chain is not None:
            self.add("exception", chain, chain.args, vars(chain))
            chain = chain.__cause__ or chain.__context__

    def check(self, secrets: dict[str, str]) -> None:
        for where, text in self.texts:
            found = find(secrets, text)
            demand(not found, f"{' and '.join(sorted(found))} is not shown, but it is in {where}: {text[:3000]!r}")


class _Collector(logging.Handler):
    def __init__(self, everything: _Everything) -> None:
        super().__init__(logging.DEBUG)
        self._everything = everything
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._everything.add(f"log {record.name}", self.format(record))


def scenarios() -> Iterator[Scenario]:
    """Yield both signature versions, each store."""
    for store in STORES:
        for version in ("v1", "v4"):
            yield Scenario(f"secrets:{store}:{version}", partial(_play, store, version))


def _play(store: str, version: str, scene: Scene) -> Measured:
    everything = _Everything()
    job = scene.job(store=store)
    with scene.own_world() as world, airflow_edges(job.state), _logged(everything):
        world.connect(session=1, signature_version=version)
        signature = _run_everything(world, job, everything)
        usual = {"security_token": "session-token-1-Zm9vYmFy", "signature_version": version}
        wrong = connection_json(world.endpoint, ("STS.1", "a-wrong-secret"), **usual)
        world.connect_to(wrong)
        everything.add_error(attempt(job).error)
        world.connect(session=1, signature_version=version)
        world.turn_clock(TOKEN_LIFE_SECONDS + 1)
        everything.add_error(attempt(job).error)
    demand(any("UploadPart" in text or "uploadId" in text for _, text in everything.texts), "the logs were collected")
    everything.check(
        {
            "the AccessKey secret": KEY_SECRET,
            "the session's secret": "session-secret-1",
            "a wrong secret": "a-wrong-secret",
            "the security token": "session-token-1-Zm9vYmFy",
            "a presigned URL's signature": signature,
        }
    )
    return Measured(faults=6)


def _run_everything(world: World, job: Job, everything: _Everything) -> str:
    """Fail, succeed, sign a URL; return its signature."""
    for fault in ({"status": 500}, {"status": 403, "code": "AccessDenied"}, {"reset": "before"}, {"foreign": True}):
        world.server.faults.add(Fault(operation="UploadPart", **fault))
        everything.add_error(attempt(job).error)
        everything.add("checkpoint", json.dumps(job.state.content))
        world.server.faults.clear()
    reports: list[Any] = []
    job = replace(job, options={"progress": lambda *report: reports.append(report)})
    task = make_task(job)
    ended = attempt(job, task=task)
    demand(ended.error is None and reports, f"the last attempt succeeds, but: {ended}")
    everything.add("result", ended.result)
    everything.add("progress", *reports)
    client = task.hook._client
    api = client._api
    everything.add("task", task, vars(task), task.hook, vars(task.hook), task.hook.settings)
    everything.add("client", vars(client), vars(api), vars(api.credentials), vars(api.session))
    everything.add("server", world.server, vars(world.server), *world.records)
    url = OSSHook(CONN_ID).sign_url("GET", job.key, timedelta(minutes=5))
    query = parse_qs(urlsplit(url).query)
    return (query.get("x-oss-signature") or query["Signature"])[0]


@contextmanager
def _logged(everything: _Everything) -> Iterator[None]:
    """Collect every record of every logger at DEBUG while the block runs, as it is: not masked."""
    root, collector, disabled = logging.getLogger(), _Collector(everything), logging.root.manager.disable
    named = [logging.getLogger(name) for name in ("oss2", "urllib3", "airflow_provider_oss", "airflow")]
    levels = [(logger, logger.level) for logger in (root, *named)]
    root.addHandler(collector)
    logging.disable(logging.NOTSET)
    for logger, _ in levels:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
        logging.disable(disabled)
        root.removeHandler(collector)
