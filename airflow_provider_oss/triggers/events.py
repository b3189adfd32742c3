"""The end of a wait as plain data, and back: an event is stored by Airflow and read in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_provider_oss import exceptions
from airflow_provider_oss.exceptions import ErrorDetails, OSSProviderError


def seen(**values: Any) -> dict[str, Any]:
    """Return what tells that the wait is over."""
    return {"status": "success", **values}


def failed(error: Exception) -> dict[str, Any]:
    """Return what tells of an error. The errors of this package never hold a secret."""
    if isinstance(error, OSSProviderError):
        details = {name: value for name, value in asdict(error.details).items() if value is not None}
        return {"status": "error", "error": type(error).__name__, "message": error.message, "details": details}
    kind = type(error)
    return {"status": "error", "error": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}


def raise_error(event: Mapping[str, Any]) -> None:
    """Raise the error that the event tells of: one of ours as it was, any other as RuntimeError with its name."""
    if event["status"] != "error":
        return
    name, message = event["error"], event["message"]
    if "details" not in event:
        raise RuntimeError(f"the trigger failed: {name}: {message}")
    raise getattr(exceptions, name)(message, ErrorDetails(**event["details"]))
