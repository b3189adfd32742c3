"""Answers that come while the body is still being sent."""

from __future__ import annotations

from typing import Final

from tests.hostile.bucket import Answer, refusal
from tests.hostile.exchanges import Row
from tests.hostile.outcomes import BAD, BROKEN, BUSY, DENIED, SENDING, TIMEOUT, Outcome
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import Request

_DENIED: Final = refusal(403, "AccessDenied", "no permission").raw
_BUSY: Final = refusal(503, "ServiceUnavailable", "too busy").raw
_ENDS: Final = {
    (Step.HALF_CLOSE,): "half-closes",
    (Step.SILENCE,): "reads nothing more and does not close",
    (Step.READ_BODY,): "reads on and does not close",
}
_HARD_ENDS: Final = {
    (Step.CLOSE,): "closes at once",
    (Step.CUT,): "closes at once without close_notify",
    (Step.RESET,): "resets",
}
_NEVER_SUCCESS: Final = Outcome(("OSSBadResponse", "OSSChecksumMismatch"), "never taken for a success")
_IF_KEPT: Final = "where the kernel still has the answer"


def _early(title: str, data: bytes, steps: tuple[Step, ...], outcome: Outcome, *, is_slow: bool = False) -> Row:
    script: Script = (Send(data), *steps)
    is_dropped = Step.READ_BODY not in steps
    return Row(title, lambda _, __: script, {SENDING: outcome}, is_dropped=is_dropped, is_slow=is_slow)


def _success(right: Answer, steps: tuple[Step, ...]) -> Script:
    """Answer as to another body: what has not arrived cannot be summed."""
    return (Send(right.having("ETag", f'"{"0" * 32}"').having("x-oss-hash-crc64ecma", "1").raw), *steps)


def _early_success(words: str, steps: tuple[Step, ...], outcome: Outcome) -> Row:
    def write(right: Answer, _: Request) -> Script:
        return _success(right, steps)

    is_dropped = Step.READ_BODY not in steps
    return Row(f"200 before the body was read: the server {words}", write, {SENDING: outcome}, is_dropped=is_dropped)


ROWS: Final = (
    *(
        _early(f"403 before the body was read: the server {words}", _DENIED, end, DENIED)
        for end, words in _ENDS.items()
    ),
    *(
        _early(
            f"403 before the body was read: the server {words}",
            _DENIED,
            end,
            Outcome(("OSSAccessDenied", "OSSConnectionError"), _IF_KEPT),
        )
        for end, words in _HARD_ENDS.items()
    ),
    *(_early(f"503 before the body was read: the server {words}", _BUSY, end, BUSY) for end, words in _ENDS.items()),
    *(_early_success(words, end, _NEVER_SUCCESS) for end, words in _ENDS.items()),
    *(
        _early_success(words, end, Outcome((*_NEVER_SUCCESS.errors, "OSSConnectionError"), _NEVER_SUCCESS.remark))
        for end, words in _HARD_ENDS.items()
    ),
    _early("half a head of 403, then the server half-closes", _DENIED[:40], (Step.HALF_CLOSE,), BROKEN),
    _early("half a head of 403, then silence", _DENIED[:40], (Step.SILENCE,), TIMEOUT, is_slow=True),
    Row(
        "a head of 403 in two packets before the body was read",
        lambda _, __: (Send(_DENIED[:40]), Send(_DENIED[40:]), Step.SILENCE),
        {SENDING: DENIED},
        is_dropped=True,
    ),
    _early("bytes that are no HTTP before the body was read", b"220 hello\r\n", (Step.SILENCE,), BAD),
    _early("nothing; the server half-closes before the body was read", b"", (Step.HALF_CLOSE,), BROKEN),
    _early("nothing; the server resets before the body was read", b"", (Step.RESET,), BROKEN),
    _early("nothing; the server reads no body", b"", (Step.SILENCE,), TIMEOUT, is_slow=True),
)
