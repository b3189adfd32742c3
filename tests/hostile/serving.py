"""``python -m tests.hostile.serving [CERTIFICATE KEY]``: a server that answers rightly, and says who came how."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.clients.support import Certificate
from tests.hostile.bucket import right_answer
from tests.hostile.script import Pause, Script, Send, Step
from tests.hostile.server import HostileServer, Request

READY: Final = "ready"
_IN_FLIGHT_SECONDS: Final = 0.05
"""So long a part is in flight."""


def main() -> None:
    """Serve until the input ends; then print the visitors of each connection as JSON."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    certificate = Certificate(*paths) if paths else None
    with HostileServer(certificate) as server:
        visitors: defaultdict[int, set[str]] = defaultdict(set)

        def behave(request: Request) -> Script:
            visitors[request.connection].add("child" if "child" in request.key else "parent")
            scene.requests.clear()  # millions are not kept
            if request.method == "PUT":
                return (Pause(_IN_FLIGHT_SECONDS), Step.READ_BODY, Send(right_answer(request).raw))
            return (Step.READ_BODY, Send(right_answer(request).raw))

        scene = server.begin(behave)
        sys.stdout.write(f"{READY} {server.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()
        sys.stdout.write(json.dumps({number: sorted(names) for number, names in visitors.items()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
