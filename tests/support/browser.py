"""A headless Chromium for tests: its profile is a folder of the test, and at the end no process is left."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
from playwright.sync_api import sync_playwright

from tests.support.chromium import CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

PATIENCE_MILLISECONDS = 60_000.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@contextmanager
def chromium(profile: Path) -> Iterator[BrowserContext]:
    """Give a browser that waits a minute for what it is asked for. Raises ``FileNotFoundError`` with the remedy."""
    if not CHROMIUM.exists():
        raise FileNotFoundError(f"{CHROMIUM} does not exist: make .cache/chromium/chromium")
    try:
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=CHROMIUM,
                args=_FLAGS,
                viewport={"width": 1100, "height": 1800},
                env=_at_home_in(profile),
            )
            context.set_default_timeout(PATIENCE_MILLISECONDS)
            try:
                yield context
            finally:
                context.close()
    finally:
        _end_what_is_left(profile)


def _at_home_in(folder: Path) -> dict[str, str | float | bool]:
    """Return an environment in which the browser writes nothing elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {**inherited, "HOME": str(folder)}


def _end_what_is_left(profile: Path) -> None:
    """End the process groups of the browser with this profile: Playwright starts it in a group of its own."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if f"--user-data-dir={profile}" in process.cmdline():
                os.killpg(os.getpgid(process.pid), signal.SIGKILL)
