"""One object by many mapped tasks, played one after the other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.exceptions import OSSPlanOutdated
from airflow_provider_oss.transfers.ranges import (
    UPLOAD_KEY,
    OSSCompleteUploadOperator,
    OSSPlanUploadOperator,
    OSSSendPartsOperator,
)
from tests.chaos.grouped import GroupOperator
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import CONN_ID, PART_BYTES, World, demand

_SIZE_BYTES = 5 * PART_BYTES + 700
_RANGES = 3


class UploadGroup(GroupOperator):
    """The tasks of one object. When an error says to clear the plan, with all that follows, that is done, once."""

    def __init__(self, *, source: str, key: str, parallel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._source = source
        self._key = key
        self._parallel = parallel

    def execute(self, context: Any) -> Any:
        result = super().execute(context)
        self.forget()  # the record of the plan is kept for tasks of the same run that are cleared
        return result

    def run_all(self) -> Any:
        try:
            return self._run_once()
        except AirflowFailException as error:
            if not isinstance(error.__cause__, OSSPlanOutdated):
                raise
        self.clear()
        return self._run_once()

    def _run_once(self) -> Any:
        both = {"source": self._source}
        ranges = self.run_task(
            "plan", OSSPlanUploadOperator, key=self._key, ranges=_RANGES, part_size=PART_BYTES, **both
        )
        upload = self.pushed("plan", UPLOAD_KEY)
        sending = {"upload": upload, "parallel": self._parallel, **both}
        results = self.run_mapped(
            partial(self.run_task, f"send-{one}", OSSSendPartsOperator, parts=one, **sending) for one in ranges
        )
        return self.run_task("complete", OSSCompleteUploadOperator, key=self._key, upload=upload, results=results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Transfer):
    """A file, in three ranges of its parts."""

    name: ClassVar[str] = "group"
    calls: ClassVar[tuple[str, ...]] = IN_PARTS

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        (self.folder / "source").write_bytes(random.randbytes(_SIZE_BYTES))

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def operator(self) -> Any:
        return UploadGroup(
            state=self.state,
            source=str(self.folder / "source"),
            key=f"{self.key}object",
            parallel=self.parallel,
            task_id="group",
            oss_conn_id=CONN_ID,
        )

    def may_fail(self, fault: str, operation: str) -> bool:
        """A plan begins no other upload when OSS does not know the first: its retry does."""
        return (fault, operation) in (
            ("flip-answer", "InitiateMultipartUpload"),
            ("gone", "ListParts"),
            ("finished", "ListParts"),
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == {"object": (self.folder / "source").read_bytes()}, "the object is equal to its source")
        demand(result["size"] == _SIZE_BYTES, f"the result tells the size: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}object": (self.folder / "source").read_bytes()})
