"""
The admin path: faults and ledger over HTTP, for tests in another process. Not signed, and off unless asked for.

``POST /-/admin/faults`` puts a JSON list of faults in force, ``DELETE`` clears them; ``GET /-/admin/requests`` returns
the ledger, ``DELETE`` empties it. No bucket can be named ``-``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.faults import Faults, fault_from_json
from airflow_provider_oss.emulator.wire.http import Response

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.connection import Connection
    from airflow_provider_oss.emulator.ledger import Ledger
    from airflow_provider_oss.emulator.wire.http import Request

_PREFIX: Final = b"/-/admin/"
_MAX_BODY_BYTES: Final = 1024 * 1024


def is_admin_path(raw_path: bytes) -> bool:
    """Whether a request is for the admin path."""
    return raw_path.startswith(_PREFIX)


async def serve_admin(request: Request, connection: Connection, faults: Faults, ledger: Ledger) -> Response:
    """Answer a request for the admin path. Raises ConnectionGoneError when the client leaves."""
    body = await _read(connection)
    match (request.method, request.raw_path.removeprefix(_PREFIX)):
        case ("POST", b"faults"):
            return _add_faults(faults, body)
        case ("DELETE", b"faults"):
            faults.clear()
            return Response(204)
        case ("GET", b"requests"):
            return _json(200, [asdict(record) for record in ledger.all()])
        case ("DELETE", b"requests"):
            ledger.forget()
            return Response(204)
    return _json(404, {"error": "there is no such admin path"})


def _add_faults(faults: Faults, body: bytes) -> Response:
    try:
        data = json.loads(body)
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            return _json(400, {"error": "a list of faults is wanted"})
        faults.add(*(fault_from_json(item) for item in data))
    except ValueError as error:
        return _json(400, {"error": str(error)})
    return Response(204)


async def _read(connection: Connection) -> bytes:
    body, more = await connection.receive()
    while more:
        chunk, more = await connection.receive()
        body = (body + chunk)[:_MAX_BODY_BYTES]
    return body


def _json(status: int, data: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(data).encode())
