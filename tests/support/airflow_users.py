"""An Airflow whose users log in: each with a role, one who may read a single DAG, and one without any role."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from typing_extensions import override

from tests.support.local_airflow import LocalAirflow

if TYPE_CHECKING:
    from contextlib import ExitStack

ROLES: Final = {"admin": "admin", "user": "user", "viewer": "viewer", "narrow": "viewer", "nobody": ""}
"""Users by name; the password of each is its name."""

NARROW_DAG: Final = "narrow_dag"
"""The only DAG that the user ``narrow`` may read."""

_ROOT: Final = Path(__file__).parents[2]


class AirflowWithUsers(LocalAirflow):
    """See ``LocalAirflow``: nobody gets in without a token."""

    @override
    def _prepare(self, stack: ExitStack) -> dict[str, str]:
        prepared = super()._prepare(stack)
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        passwords.write_text(json.dumps({name: name for name in ROLES}))
        return prepared | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in ROLES.items()),
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.narrow_auth_manager.NarrowAuthManager",
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }

    @override
    def _log_in(self) -> None:
        self._api.use_token(self.token("admin"))

    def token(self, name: str) -> str:
        """Return a token of the user."""
        body = {"username": name, "password": name}
        answer = httpx.post(f"{self.url}/auth/token", json=body, timeout=30, trust_env=False).raise_for_status()
        return str(answer.json()["access_token"])
