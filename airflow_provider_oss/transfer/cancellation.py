"""How a running transfer is asked to stop."""

from airflow_provider_oss.exceptions import OSSUploadCancelled


class Cancellation:
    """
    A flag that a signal handler may raise.

    A plain attribute on purpose: a handler interrupts the main thread anywhere, also while it holds the lock inside a
    ``threading.Event``, and would wait for itself for ever.
    """

    def __init__(self) -> None:
        self._requested = False

    def request(self) -> None:
        """Ask the transfer to stop soon. What is done so far stays for the next attempt."""
        self._requested = True

    def check(self) -> None:
        """Raise OSSUploadCancelled when a stop was requested."""
        if self._requested:
            raise OSSUploadCancelled(
                "the transfer was asked to stop; what is done so far stays, and the next attempt continues with it"
            )
