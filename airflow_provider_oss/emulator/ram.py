"""
RAM users: what a signed request needs to be allowed, and whether policies allow it. Pure.

Sources: OSS "RAM policy" (explicit Deny first, then explicit Allow, else refused) and the permission section of each
operation's API page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.emulator.errors import OSSError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_oss.emulator.wire.http import Request, Target

_STATEMENT_ELEMENTS: Final = frozenset({"Effect", "Action", "Resource", "Condition"})

_ACTIONS: Final = {
    "AppendObject": "oss:PutObject",
    "CompleteMultipartUpload": "oss:PutObject",
    "CopyObject": "oss:PutObject",
    "GetObjectMeta": "oss:GetObject",
    "DeleteBucketTags": "oss:DeleteBucketTagging",
    "GetBucketTags": "oss:GetBucketTagging",
    "GetSymlink": "oss:GetObject",
    "HeadBucket": "oss:ListObjects",
    "HeadObject": "oss:GetObject",
    "InitiateMultipartUpload": "oss:PutObject",
    "ListObjectsV2": "oss:ListObjects",
    "PutBucketTags": "oss:PutBucketTagging",
    "PutSymlink": "oss:PutObject",
    "UploadPart": "oss:PutObject",
    "UploadPartCopy": "oss:PutObject",
}
"""The action of each operation that has none of its own name."""

_VERSION_ACTIONS: Final = {
    "DeleteObject": "oss:DeleteObjectVersion",
    "DeleteObjectTagging": "oss:DeleteObjectVersionTagging",
    "GetObject": "oss:GetObjectVersion",
    "GetObjectAcl": "oss:GetObjectVersionAcl",
    "GetObjectMeta": "oss:GetObjectVersion",
    "GetObjectTagging": "oss:GetObjectVersionTagging",
    "GetSymlink": "oss:GetObjectVersion",
    "HeadObject": "oss:GetObjectVersion",
    "PutObjectAcl": "oss:PutObjectVersionAcl",
    "PutObjectTagging": "oss:PutObjectVersionTagging",
}
"""The action of each operation that can be about a version, when it names one."""

_HEADER_ACTIONS: Final = {"x-oss-tagging": "oss:PutObjectTagging", "x-oss-object-acl": "oss:PutObjectAcl"}
"""What a write needs besides when it has such a header."""


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource. ``prefix`` is what a listing is narrowed to, None for anything else."""

    action: str
    resource: str
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class _Statement:
    is_allowing: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    prefixes: tuple[str, ...] | None

    def covers(self, need: Need) -> bool:
        """Whether the statement is about this."""
        if self.prefixes is not None and (need.prefix is None or not _matches_any(self.prefixes, need.prefix)):
            return False
        return _matches_any(self.actions, need.action, re.IGNORECASE) and _matches_any(self.resources, need.resource)


class RamUser:
    """
    A user with an AccessKey of its own, who may do what its RAM policies allow and nothing else.

    A policy is the JSON document that the RAM console takes, parsed: ``Version`` "1" and ``Statement`` with ``Effect``,
    ``Action``, ``Resource`` and, for listings, ``Condition`` ``{"StringLike": {"oss:Prefix": ...}}``. Raises ValueError
    for anything else: a policy that is not understood must not seem to work.
    """

    def __init__(self, access_key_id: str, access_key_secret: str, *policies: Mapping[str, Any]) -> None:
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self._statements = tuple(statement for policy in policies for statement in _parse(policy))

    def __repr__(self) -> str:
        return f"RamUser({self.access_key_id!r})"

    def check(self, need: Need) -> None:
        """Raise OSSError 403 AccessDenied unless the policies allow it."""
        covering = [statement.is_allowing for statement in self._statements if statement.covers(need)]
        if not covering or not all(covering):
            raise OSSError(
                "AccessDenied",
                "You have no right to access this object because of bucket acl.",
                extra={"AuthAction": need.action, "AuthPrincipalDisplayName": self.access_key_id},
            )


def needs(operation: str, request: Request, target: Target) -> Iterator[Need]:
    """Yield what the request needs before its handler runs; of deletions of many keys the handler asks for each."""
    if operation == "DeleteMultipleObjects":
        return
    action = _ACTIONS.get(operation, f"oss:{operation}")
    if request.has_parameter("versionId"):
        action = _VERSION_ACTIONS.get(operation, action)
    is_listing = target.bucket and not target.key and request.method == "GET"
    yield Need(action, resource_of(target.bucket, target.key), request.parameter("prefix") if is_listing else None)
    for header, further in _HEADER_ACTIONS.items():
        if header in request.headers and target.key and operation != "PutObjectAcl":
            yield Need(further, resource_of(target.bucket, target.key))


def resource_of(bucket: str, key: str) -> str:
    """Return the name of a bucket or an object in policies; of neither, that of the account's buckets as a whole."""
    if not bucket:
        return "acs:oss:*:*:*"
    return f"acs:oss:*:*:{bucket}/{key}" if key else f"acs:oss:*:*:{bucket}"


def _parse(policy: Mapping[str, Any]) -> Iterator[_Statement]:
    if set(policy) != {"Version", "Statement"} or policy["Version"] != "1":
        raise ValueError('a policy has "Version": "1" and "Statement", nothing else')
    statements = policy["Statement"]
    for entry in statements if isinstance(statements, list) else [statements]:
        if not {"Effect", "Action", "Resource"} <= set(entry) <= _STATEMENT_ELEMENTS:
            raise ValueError(
                f"a statement has Effect, Action, Resource and maybe Condition, not {', '.join(sorted(entry))}"
            )
        if entry["Effect"] not in ("Allow", "Deny"):
            raise ValueError(f"Effect must be Allow or Deny, not {entry['Effect']!r}")
        yield _Statement(
            is_allowing=entry["Effect"] == "Allow",
            actions=_texts(entry["Action"]),
            resources=_texts(entry["Resource"]),
            prefixes=_prefixes(entry["Condition"]) if "Condition" in entry else None,
        )


def _prefixes(condition: Mapping[str, Any]) -> tuple[str, ...]:
    if set(condition) != {"StringLike"} or set(condition["StringLike"]) != {"oss:Prefix"}:
        raise ValueError("of conditions this server knows StringLike of oss:Prefix alone")
    return _texts(condition["StringLike"]["oss:Prefix"])


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _matches_any(patterns: tuple[str, ...], text: str, flags: int = 0) -> bool:
    return any(re.fullmatch(_regex(pattern), text, flags | re.DOTALL) for pattern in patterns)


def _regex(pattern: str) -> str:
    """Return a policy's pattern as a regular expression: ``*`` any text, ``?`` one character."""
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
