"""
The default chain: who is asked, in the library's order, and what each had to say.

The library's own chain starts a thread for the metadata service, forgets when credentials expire, and reads the
environment when it is imported. The links are the library's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from alibabacloud_credentials.provider import CLIProfileCredentialsProvider, ProfileCredentialsProvider

from airflow_provider_oss.clients.credentials.environment import credentials_in, is_true
from airflow_provider_oss.clients.credentials.library import ask, ecs_provider, obtain
from airflow_provider_oss.clients.credentials.reading import (
    credentials_uri,
    ecs_ram_role,
    environment_key,
    oidc_role,
)
from airflow_provider_oss.clients.credentials.sources import Credentials, EcsRamRole
from airflow_provider_oss.exceptions import (
    OSSCredentialsRefused,
    OSSCredentialsUnavailable,
    OSSInvalidConnection,
    OSSProviderError,
    OSSTransientError,
)

log = logging.getLogger(__name__)

_CLI_FILE: Final = ".aliyun/config.json"
_INI_FILE: Final = ".alibabacloud/credentials.ini"


class _Link(NamedTuple):
    ask: Callable[[], Credentials]
    is_set_up: bool = True
    """Asked only where somebody has set it up: while it is out of order no other identity stands in for it."""


class Chain:
    """
    Asks each in turn; the first that answers is the only one that is asked from then on.

    One that nobody has set up raises OSSInvalidConnection, and is passed over without a word in the log.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._links = [
            _Link(lambda: _environment_key(environment)),
            _Link(lambda: ask(oidc_role({}, environment))),
            _Link(lambda: _cli_profile(environment)),
            _Link(lambda: _ini_profile(environment)),
            _Link(lambda: ask(ecs_ram_role({}, environment)), is_set_up=False),
            _Link(lambda: ask(credentials_uri({}, environment))),
        ]

    def ask(self) -> Credentials:
        """Return the credentials of the first that has some. Raises what ``SourceReader.read`` does."""
        failures: list[OSSProviderError] = []
        for link in self._links:
            try:
                found = link.ask()
            except (OSSInvalidConnection, OSSCredentialsRefused) as error:
                failures.append(error)
            except OSSProviderError as error:
                failures.append(error)
                if link.is_set_up:
                    raise type(error)(_told(failures)) from None
            else:
                self._links = [link]
                _log_passed_over(failures, found)
                return replace(found, origin=f"default: {found.origin}")
        # Where one of them may answer later it is worth waiting
        is_transient = any(isinstance(error, OSSTransientError) for error in failures)
        kind = OSSCredentialsUnavailable if is_transient else OSSCredentialsRefused
        raise kind(_told(failures))


def _told(failures: list[OSSProviderError]) -> str:
    return "default: " + "; ".join(error.message for error in failures)


def _log_passed_over(failures: list[OSSProviderError], taken: Credentials) -> None:
    if failed := [error for error in failures if not isinstance(error, OSSInvalidConnection)]:
        log.warning("%s; passed over, %s is taken", _told(failed), taken.origin)


class _CliProfile(CLIProfileCredentialsProvider):  # type: ignore[misc]  # it has no types
    """The profiles of the command line tool; an ECS role is asked without a thread of its own."""

    def chosen(self, config: Any, name: str) -> Any:
        """Return what the profile says has to be asked: only that tells when its credentials expire."""
        return self._get_credentials_provider(config, name)

    def _get_credentials_provider(self, config: Any, profile_name: Any) -> Any:
        for profile in config.get("profiles", []):
            if profile.get("name") == profile_name and profile.get("mode") == "EcsRamRole":
                return ecs_provider(EcsRamRole(profile.get("ram_role_name")))
        return super()._get_credentials_provider(config, profile_name)


class _IniProfile(ProfileCredentialsProvider):  # type: ignore[misc]  # as above
    """A section of the credentials file; an ECS role is asked without a thread of its own."""

    chosen: Any = None

    def get_credentials(self) -> Any:
        """Return what the section says has to be asked gives: only that tells when its credentials expire."""
        super().get_credentials()
        return self.chosen.get_credentials()

    def _get_credentials_provider(self, section: Any) -> Any:
        if section.get("type") == "ecs_ram_role":
            self.chosen = ecs_provider(EcsRamRole(section.get("role_name")))
        else:
            self.chosen = super()._get_credentials_provider(section)
        return self.chosen


def _environment_key(environment: Mapping[str, str]) -> Credentials:
    try:
        credentials_in(environment)
    except OSSInvalidConnection as error:  # it is there, and cannot be used
        raise OSSCredentialsRefused(error.message) from None
    return environment_key(environment)


def _cli_profile(environment: Mapping[str, str]) -> Credentials:
    if is_true(environment, "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"):
        raise OSSInvalidConnection("cli_profile: ALIBABA_CLOUD_CLI_PROFILE_DISABLED is set")
    file = _in_home(environment, _CLI_FILE)
    _check_there("cli_profile", file)
    try:
        config = json.loads(Path(file).read_text(encoding="utf-8"))
        profile = environment.get("ALIBABA_CLOUD_PROFILE") or config["current"]
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no configuration of the command line tool"
        raise OSSCredentialsRefused(f"cli_profile ({file}): {reason}") from None  # the text may hold secrets
    return obtain(f"cli_profile ({file})", lambda: _CliProfile(profile_name=profile).chosen(config, profile), {})


def _ini_profile(environment: Mapping[str, str]) -> Credentials:
    file = environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE") or _in_home(environment, _INI_FILE)
    _check_there("profile", file)
    section = environment.get("ALIBABA_CLOUD_PROFILE") or "default"
    return obtain(f"profile ({file})", lambda: _IniProfile(profile_name=section, profile_file=file), {})


def _check_there(name: str, file: str) -> None:
    try:
        Path(file).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OSSInvalidConnection(f"{name} ({file}): {error.strerror}") from None
    except OSError:  # whoever reads it will say what is wrong
        pass


def _in_home(environment: Mapping[str, str], path: str) -> str:
    return f"{environment.get('HOME', '')}/{path}"
