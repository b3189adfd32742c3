"""Airflow's simple auth manager, with one user who may read one DAG."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from typing_extensions import override

from tests.support.airflow_users import NARROW_DAG


class NarrowAuthManager(SimpleAuthManager):
    """The user ``narrow`` has the rights of its role for one DAG; a question about no certain DAG is answered yes."""

    @override
    def is_authorized_dag(self, *, user: Any, details: Any = None, **others: Any) -> bool:
        if user.username == "narrow" and details is not None and details.id not in (None, NARROW_DAG):
            return False
        return bool(super().is_authorized_dag(user=user, details=details, **others))
