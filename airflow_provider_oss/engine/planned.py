"""
One object by many workers: the upload is planned once, sent in ranges of its parts by anybody, completed at the end.

*Plan* looks at the source, saves the intent, begins the upload and saves its id: ``UploadPlanning``, here. *Send*
verifies what OSS holds of one range and sends the rest: ``ranges``. *Complete* compares what OSS lists with what was
sent, range by range, makes the object, and compares that as a whole: ``completion``.

Only the plan begins an upload, and drops one that it does not continue. Nothing is aborted on failure: any of them can
be done again, alone or together, and what is there is used. Where the upload is gone because the object was made of it,
ranges are only read, and the object is compared with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from typing_extensions import override

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import CheckpointWriter, CurrentUpload, UploadIds, open_source
from airflow_provider_oss.engine.plan import PartPlan, PartRange, Plan, cut_evenly, make_plan
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.resume import Continue, Decision, UploadGoal, decide, digest_of
from airflow_provider_oss.engine.retry import Means, RetryingClient
from airflow_provider_oss.engine.source import whole
from airflow_provider_oss.engine.stored import look_at
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSInvalidArgument,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSPlanOutdated,
    OSSProviderError,
    naming_exhaustion,
)
from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    Fingerprint,
    ObjectOptions,
    ObjectRef,
    Result,
    StoredPart,
)
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import CheckpointStore, SendingClient, Source
from airflow_provider_oss.proof import EMPTY
from airflow_provider_oss.shown import Log, printable, shortened

log = Log(__name__)

DEFAULT_RANGES: Final = 8

_RANGE: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


# What the tasks tell one another


class Sealed:
    """
    What another task is given as plain data.

    People may edit XComs, or give the output of another task: what is not as it was written is refused.
    """

    @property
    def seal(self) -> str:
        """Digest of all that it says."""
        return digest_of(self._facts())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom."""
        return {**self._facts(), "seal": self.seal}

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = asdict(self)  # type: ignore[call-overload]  # what is derived from it is a dataclass
        return facts

    @classmethod
    def parse(cls, name: str, given: Any) -> Self:
        """Return what ``as_dict`` has made plain data of. Raises OSSInvalidArgument for anything else."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            facts = dict(given)
            seal = facts.pop("seal", None)
            with suppress(TypeError):  # of other fields, or what JSON does not know
                record = cls(**facts)
                if record.seal == seal:
                    return record
        raise OSSInvalidArgument(
            f"{name}={shortened(repr(given), 200)} is not what a task of this package has returned: give the output of "
            "the task before as it is, and clear that task if its XCom was edited"
        )


@dataclass(frozen=True, slots=True)
class PlannedUpload(Sealed):
    """An upload that tasks work at together: what all of them have to know of it."""

    bucket: str
    key: str
    upload_id: str
    """Empty when nothing is to be sent: an object in the way may be the source's, or one without bytes is stored."""
    size: int
    """Bytes of the source."""
    part_size: int
    parts: int
    """How many parts."""
    source: str
    """The source's name, for people."""
    fingerprint: str
    """Digest of all that was seen of the source."""
    options: str
    """Digest of the options that the upload was begun with."""
    created_at: str
    """ISO 8601, UTC; empty where no upload was begun."""

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(self.bucket, self.key)

    @property
    def plan(self) -> PartPlan:
        """How it is cut."""
        return PartPlan(self.size, self.part_size)

    def range(self, text: str) -> PartRange:
        """Return the range of parts of a text such as ``1-400``. Raises OSSInvalidArgument for what is none of it."""
        found = _RANGE.fullmatch(text) if isinstance(text, str) else None
        if found is not None:
            first, last = int(found[1]), int(found[2])
            if 1 <= first <= last <= self.parts or (first, last, self.parts) == (1, 0, 0):
                return PartRange(self.plan, first, last)
        raise OSSInvalidArgument(f"parts={text!r} is no range of the {self.parts} parts of {self.ref}, such as '1-400'")

    def check_source(self, seen: Fingerprint) -> None:
        """Raise OSSPlanOutdated unless the source is what it was when it was planned."""
        if fingerprint_digest(seen) != self.fingerprint:
            raise OSSPlanOutdated(
                f"{seen.name!r} is not what it was when the upload of {self.ref} was planned ({self.size} bytes): "
                "clear the task that plans, and those after it; stored parts of the same bytes are not sent again"
            )

    def gone(self) -> OSSPlanOutdated:
        """Return the error for an upload that is gone and has not become an object of the source."""
        return OSSPlanOutdated(
            f"upload {self.upload_id or '(none was begun)'} of {self.ref} is gone, and the object that is there, if "
            "any, is not the source: clear the task that plans, and those after it with it"
        )


def fingerprint_digest(seen: Fingerprint) -> str:
    """Return a digest of all that was seen of a source."""
    return digest_of(asdict(seen))


@dataclass(frozen=True, slots=True)
class RangeResult(Sealed, Result):
    """Parts that OSS holds and that were seen to be the source's, or bytes that were only read."""

    upload: str
    """The seal of the upload that was planned."""
    parts: str
    """``1-400``"""
    size: int
    """Bytes."""
    crc64: str
    """Of these bytes of the source; decimal."""
    etags: str
    """Digest of the parts' ETags; empty when they were only read."""
    bytes_sent: int
    bytes_verified: int
    elapsed_seconds: float

    @override
    def describe(self) -> str:
        done = f"{self.bytes_sent} of them sent and {self.bytes_verified} verified"
        return f"Parts {self.parts}: {self.size} bytes, {done} in {self.elapsed_seconds:.1f} s"


def etags_digest(parts: Iterable[CompletedPart | StoredPart]) -> str:
    """Return a digest of the ETags of parts, whatever their order."""
    return digest_of([(part.number, part.etag) for part in sorted(parts, key=lambda part: part.number)])


# Plan


@dataclass(frozen=True, slots=True)
class Cut:
    """
    Into which ranges the parts are cut: so many, or about so large; without either, 8.

    Raises OSSInvalidArgument for both, and for what is less than 1.
    """

    ranges: int | None = None
    range_size_bytes: int | None = None
    most: int = MAX_MAPPED_TASKS

    def __post_init__(self) -> None:
        if self.ranges is not None and self.range_size_bytes is not None:
            raise OSSInvalidArgument("give either ranges or range_size, not both")
        for name, value in (
            ("ranges", self.ranges),
            ("range_size", self.range_size_bytes),
            ("max_ranges", self.most),
        ):
            if value is not None and value < 1:
                raise OSSInvalidArgument(f"{name}={value} is no positive number")

    def __call__(self, plan: PartPlan) -> list[PartRange]:
        """Return the ranges. Raises OSSInvalidArgument for more than ``most``."""
        wanted = self.ranges or DEFAULT_RANGES
        if self.range_size_bytes is not None:
            wanted = -(-plan.count // max(1, self.range_size_bytes // plan.part_size_bytes))
        found = cut_evenly(plan, wanted)
        if len(found) > self.most:
            raise OSSInvalidArgument(
                f"the {plan.size_bytes} bytes of the source make {len(found)} ranges, and max_ranges is {self.most}: "
                f"let range_size be at least {-(-plan.count // self.most) * plan.part_size_bytes}, ask for fewer "
                "ranges, or raise max_ranges, and Airflow's [core] max_map_length with it"
            )
        return found


@dataclass(frozen=True, slots=True)
class UploadPlanning:
    """What is to be uploaded by many, where to, and how: the arguments of ``run``."""

    source: Source
    ref: ObjectRef
    means: Means[SendingClient]
    store: CheckpointStore | None = None
    options: ObjectOptions = field(default_factory=ObjectOptions)
    part_size_bytes: int | None = None
    cut: Cut = field(default_factory=Cut)

    def run(self) -> tuple[PlannedUpload, list[PartRange]]:
        """
        Begin the upload, or find the one that an earlier attempt began; return it, and the ranges of its parts.

        The intent is saved before the upload is begun, and its id before it is returned, so that none is lost; the
        record stays in the store afterwards. An upload that cannot become what is wanted is aborted.

        Raises OSSInvalidSource when the source cannot be read, OSSSourceElsewhere when this worker does not see it and
        the store shows that an earlier attempt has, OSSInvalidArgument for what cannot be planned,
        OSSObjectAlreadyExists when ``forbid_overwrite`` finds an object of another size, else as ``Upload.run`` does.
        """
        with obeying(self.means.cancellation), naming_exhaustion():
            self.means.cancellation.check()
            with closing(open_source(self.source, self.ref, self.store)) as reader:
                seen, size_bytes = reader.fingerprint, whole(reader).size_bytes
            return _Planning(self, seen, size_bytes).run()


class _Planning:
    """One attempt to plan."""

    def __init__(self, wanted: UploadPlanning, seen: Fingerprint, size_bytes: int) -> None:
        means = wanted.means
        self._wanted = wanted
        self._seen = seen
        self._size_bytes = size_bytes
        self._means = means
        self._client = RetryingClient(means.client, means.retrying(), begin_failed=self._begin_failed)
        writer = CheckpointWriter(wanted.store, 0, means.clock)
        ids = UploadIds(wanted.ref, wanted.options, self._client, writer, means.clock)
        self._current = CurrentUpload(ids, writer, means.clock)

    def _begin_failed(self, error: OSSProviderError) -> None:
        self._current.note_failed_begin(error)

    def run(self) -> tuple[PlannedUpload, list[PartRange]]:
        wanted, saved = self._wanted, self._current.saved()
        goal = UploadGoal(
            wanted.ref, self._size_bytes, wanted.part_size_bytes, digest(wanted.options), always_in_parts=True
        )
        attempt = 1 if saved is None else saved.attempt + 1

        def decided() -> Decision:
            return decide(self._current.checkpoint or saved, goal)

        wanted.cut(PartPlan(self._size_bytes, decided().plan.part_size_bytes))  # before anything is begun or dropped
        planned = self._means.renewing(lambda: self._planned(decided(), attempt))
        return planned, wanted.cut(planned.plan)

    def _planned(self, decision: Decision, attempt: int) -> PlannedUpload:
        if isinstance(decision, Continue):
            found = self._found(decision, attempt)
            if found is not None:
                return self._upload(decision.plan, found)
        elif decision.abandoned is not None:
            log.warning(
                "%s: not continuing %s: %s",
                *(self._wanted.ref, decision.abandoned.upload_id or "an upload without an id", decision.reason),
            )
            self._current.drop_other(decision.abandoned)
        plan = make_plan(self._size_bytes, self._wanted.part_size_bytes)
        self._wanted.cut(plan)
        return self._begun(plan, attempt)

    def _found(self, decision: Continue, attempt: int) -> Checkpoint | None:
        """Return the upload of an earlier attempt, if OSS still has it."""
        found = self._current.resume(decision.checkpoint, attempt)
        try:
            self._client.list_parts(found.ref, found.upload_id, 1, 1)
        except OSSNoSuchUpload:
            log.info("%s: upload %s is gone, beginning anew", found.ref, found.upload_id)
            self._current.forget()
            return None
        self._current.save_resumed(self._seen)
        return found

    def _begun(self, plan: PartPlan, attempt: int) -> PlannedUpload:
        if not plan.count:
            SinglePut(self._wanted.ref, self._means, self._wanted.options).put_data(b"", EMPTY)
            return self._upload(plan, None)
        try:
            return self._upload(plan, self._known(self._current.begin(plan, self._seen, attempt)))
        except OSSObjectAlreadyExists:
            there = look_at(self._client.head_object, self._wanted.ref)
            if there is None or there.size_bytes != self._size_bytes:
                raise
            log.info("%s is there with the source's size: the tasks compare it, and send nothing", there.ref)
            return self._upload(plan, None)

    def _known(self, begun: Checkpoint) -> Checkpoint:
        """Return what was begun, if OSS knows its id: many tasks are about to rely on it."""
        try:
            self._client.list_parts(begun.ref, begun.upload_id, 1, 1)
        except OSSNoSuchUpload as error:
            self._current.forget()
            raise OSSBadResponse(f"{begun.ref}: OSS does not know the upload id that it gave: {error}") from error
        return begun

    def _upload(self, plan: Plan, begun: Checkpoint | None) -> PlannedUpload:
        ref = self._wanted.ref
        return PlannedUpload(
            bucket=ref.bucket,
            key=ref.key,
            upload_id="" if begun is None else begun.upload_id,
            size=self._size_bytes,
            part_size=plan.part_size_bytes,
            parts=plan.count,
            source=printable(self._seen.name),
            fingerprint=fingerprint_digest(self._seen),
            options=digest(self._wanted.options),
            created_at="" if begun is None else begun.created_at,
        )
