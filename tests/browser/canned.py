"""Answers of the page's routes, as its back end gives them, for what real transfers would take minutes to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_oss.limits import MIB

Transfer = dict[str, Any]

HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"


def when(seconds_ago: float) -> str:
    """Return a time of the past as records have it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")


def transfer(record: dict[str, Any] | None = None, **fields: Any) -> Transfer:
    """Return a transfer whose task runs, with what differs from the usual."""
    usual: Transfer = {
        "dag_id": "nightly",
        "run_id": "scheduled__2026-11-30T18:00:00+00:00",
        "task_id": "upload",
        "map_index": -1,
        "try_number": 1,
        "max_tries": 5,
        "state": "running",
        "operator": "OSSResumableUploadOperator",
        "started_at": when(40),
        "ended_at": None,
        "record": record,
        "result_summary": None,
        "console_url": None,
        "stale": False,
    }
    made = usual | fields
    task = f"dags/{made['dag_id']}/runs/{made['run_id']}/tasks/{made['task_id']}"
    return {"task_url": task} | made


def record(**fields: Any) -> dict[str, Any]:
    """Return the record of an upload that runs, with what differs from the usual."""
    usual = {
        "version": 1,
        "kind": "upload",
        "target": "oss://exports/dumps/orders.bin",
        "source": "orders.bin",
        "state": "running",
        "attempt": 1,
        "started_at": when(40),
        "updated_at": when(3),
        "total": 1000 * MIB,
        "done": 410 * MIB,
        "sent": 410 * MIB,
        "verified": 0,
        "skipped": 0,
        "rate": 24.5 * MIB,
    }
    return usual | fields


def resumed() -> Transfer:
    """Return an upload of 125 parts in its third attempt: one was killed, one failed."""
    size = 8 * MIB
    rates = [[2 * n, (20 + 6 * ((n * 7) % 5) - n % 3) * MIB] for n in range(1, 21)]
    attempts = [
        {"number": 1, "state": "killed", "seconds": 61.2, "sent": 34 * size, "verified": 0, "skipped": 0, "retried": 0},
        {
            "number": 2,
            "state": "failed",
            "seconds": 24.8,
            "sent": 12 * size,
            "verified": 30 * size,
            "skipped": 0,
            "retried": 4,
            "error": "OSSConnectionTimeout: part 47 of oss://exports/dumps/orders.bin: no answer within 60 s",
        },
        {
            "number": 3,
            "state": "running",
            "seconds": 40.0,
            "sent": 33 * size,
            "verified": 44 * size,
            "skipped": 0,
            "retried": 2,
        },
    ]
    return transfer(
        record(
            attempt=3,
            total=125 * size - 3 * MIB,
            done=77 * size,
            sent=33 * size,
            verified=44 * size,
            retried=2,
            rates=rates,
            parts={
                "size": size,
                "count": 125,
                "first": 1,
                "stored": "1-72,74-76,79-80",
                "verified": "1-42,45-46",
                "in_flight": "73,77,78,81",
            },
            attempts=attempts,
            events=[
                {"at": when(38), "text": "The upload of attempt 2 continues: OSS holds 44 parts"},
                {"at": when(17), "text": "Part 73: try 1 failed: OSSConnectionTimeout: no answer within 60 s"},
                {"at": when(9), "text": "Part 78: try 1 failed: HTTP 503 ServiceUnavailable, again in 1.6 s"},
            ],
        ),
        try_number=3,
        console_url="https://oss.console.aliyun.com/bucket/oss-cn-hangzhou/exports/object?path=dumps%2F",
    )


def stream() -> Transfer:
    """Return a stream: its end is not known."""
    fields = {"kind": "stream", "target": "oss://exports/logs/today.gz", "source": None, "total": None}
    parts = {"size": 8 * MIB, "count": None, "first": 1, "stored": "1-6", "verified": "", "in_flight": "7"}
    return transfer(record(**fields, done=51 * MIB, sent=51 * MIB, rate=3.1 * MIB, parts=parts), task_id="stream")


def directory() -> Transfer:
    """Return a directory most of which OSS had already."""
    sizes = {"total": 900 * MIB, "done": 760 * MIB, "sent": 98 * MIB, "skipped": 662 * MIB}
    files = {"total": 1840, "sent": 211, "skipped": 1403, "failed": 2}
    fields = {"kind": "directory", "target": "oss://exports/site/", "source": "site"}
    return transfer(record(**fields, **sizes, files=files, rate=11 * MIB), task_id="mirror")


def ranges() -> list[Transfer]:
    """Return four mapped instances that store ranges of one object: one is done, one waits for its next attempt."""
    states = [("success", 50, ""), ("running", 31, "82,83"), ("up_for_retry", 12, ""), ("running", 40, "191")]
    return [
        transfer(
            record(
                kind="range",
                target="oss://exports/dumps/2-tb.bin",
                source="2-tb.bin",
                total=50 * 8 * MIB,
                done=stored * 8 * MIB,
                sent=(stored - index * 3) * 8 * MIB,
                verified=index * 3 * 8 * MIB,
                rate=18.0 * MIB,
                parts={
                    "size": 8 * MIB,
                    "count": 50,
                    "first": 50 * index + 1,
                    "stored": f"{50 * index + 1}-{50 * index + stored}",
                    "verified": f"{50 * index + 1}-{50 * index + index * 3}" if index else "",
                    "in_flight": in_flight,
                },
            ),
            task_id="ranges",
            map_index=index,
            state=state,
            try_number=1 + (state == "up_for_retry"),
        )
        for index, (state, stored, in_flight) in enumerate(states)
    ]


def finished(number: int, **fields: Any) -> Transfer:
    """Return one that ended well."""
    size = (3 + number * 37 % 400) * MIB
    verified = size // 3 if number % 4 == 0 else 0
    result = {
        "size": size,
        "bytes_sent": size - verified,
        "bytes_verified": verified,
        "elapsed_seconds": 4.2 + number % 60,
        "resumed": verified > 0,
    }
    made = record(
        target=f"oss://exports/archive/{number:04}.parquet",
        source=f"{number:04}.parquet",
        state="succeeded",
        total=size,
        done=size,
        sent=size - verified,
        verified=verified,
    )
    usual: Transfer = {
        "state": "success",
        "run_id": f"scheduled__2026-11-{1 + number % 28:02}T18:00:00+00:00",
        "try_number": 1 + (verified > 0),
        "started_at": when(600 + number * 300),
        "ended_at": when(560 + number * 300),
        "result_summary": result,
    }
    return transfer(made, **usual | fields)


def listed(*transfers: Transfer, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the route of the list answers."""
    dags = sorted({one["dag_id"] for one in transfers})
    return {"transfers": list(transfers), "total": len(transfers), "dags": dags, "notes": list(notes)}


def shown(one: Transfer, *group: Transfer, **fields: Any) -> dict[str, Any]:
    """Return what the route of one transfer answers."""
    return {"transfer": one, "group": list(group), "checkpoint": None, "result": None, "notes": []} | fields


def forgotten() -> dict[str, Any]:
    """Return what the route of forgotten uploads answers."""
    begun = {"initiated": when(3_900_000), "owner": "nightly/scheduled__2026-10-16/upload"}
    named = {"key": "dumps/2-tb.bin", "upload_id": "0004B99B0A5E6A1D6A1F0E2F4C4B7777", "bytes": 903 * MIB} | begun
    first = [
        {"key": "dumps/2026-11-02.bin", "upload_id": "0004B999EF518A1FE585B0C9360DC4C8", "bytes": 812 * MIB} | begun,
        {
            "key": "tmp/orders.csv",
            "upload_id": "0004B99B0A5E6A1D6A1F0E2F4C4B6C2E",
            "bytes": 37 * MIB,
            "initiated": when(9_900_000),
        },
    ]
    result = {"bucket": "exports", "prefix": "", "uploads": 7, "aborted": 2, "bytes": 849 * MIB, "dry_run": True}
    kept = {"kept": {"recent": 2, "checkpoint": 3}, "kept_bytes": 940 * MIB, "first": first}
    kept["kept_first"] = [named | {"reason": "checkpoint"}]
    finding = {"dag_id": "maintenance", "run_id": "scheduled__2026-11-30", "task_id": "look", "map_index": -1}
    return {
        "findings": [
            finding | {"when": when(7200), "task_url": "dags/maintenance/runs/last/tasks/look", "result": result | kept}
        ],
        "notes": [],
    }
