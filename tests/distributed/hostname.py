"""The name of a node: Airflow's ``[core] hostname_callable`` here, for all nodes are on one machine."""

from __future__ import annotations

import os
import socket

VARIABLE = "OSS_TESTS_NODE"


def node() -> str:
    """Return the name of the node that this process is on; of what is on none, the machine's."""
    return os.environ.get(VARIABLE) or socket.gethostname()
