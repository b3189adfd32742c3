"""``OSSEmulator``: the server in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import uvicorn  # noqa: TID253 - no DAG imports this module

from airflow_provider_oss.emulator.addressing import is_bucket_name, names_this_machine
from airflow_provider_oss.emulator.airflow_connection import connection_json
from airflow_provider_oss.emulator.authentication import Keyring, StsSession
from airflow_provider_oss.emulator.faults import Faults
from airflow_provider_oss.emulator.gateway import Gateway
from airflow_provider_oss.emulator.ledger import Ledger, RecordedRequest
from airflow_provider_oss.emulator.limits import Limits
from airflow_provider_oss.emulator.operations.call import Environment
from airflow_provider_oss.emulator.operations.routes import routes
from airflow_provider_oss.emulator.page.addresses import OVERVIEW
from airflow_provider_oss.emulator.protocol import Protocol
from airflow_provider_oss.emulator.state.records import BucketRecord
from airflow_provider_oss.emulator.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_oss.emulator.ram import RamUser

_KEEP_ALIVE_SECONDS: Final = 60
_GRACE_SECONDS: Final = 1.0
"""How long a request that is being served when the server stops may take to end."""
_CANCEL_SECONDS: Final = 5.0
"""How long it may go on after its connection was reset: a Complete comes to its end even so."""
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a caller may ask for
_TURNS: Final = 5
_MAX_PORT: Final = 65_535
_BACKLOG: Final = 1024
_WORKER_THREADS: Final = 32
"""For bodies and callbacks; more than cores, for a callback waits for an application that may wait for this server."""


class OSSEmulator:
    """
    A local OSS server, running inside its ``with`` block; the same ``root`` can be served again with everything intact.

    Without a root the server has a temporary folder, which is empty at first and removed when the block ends.

    What it does and what it answers 501 is in ``claim.py``. Connections that are being served when the block ends get a
    second to finish and are reset then. Credentials are in no ``repr`` and in no log.

    ``port`` 0 means any free one; ``buckets`` are created when absent; ``clock`` gives seconds since the epoch;
    ``ram_users`` have AccessKeys of their own and may do what their policies allow; ``cname_buckets`` maps custom
    domains to buckets; ``admin`` opens the unsigned admin path. Raises ValueError for a bucket name that OSS does not
    take, a port that there is not, an empty root, host or AccessKey, and a private key without a certificate.

    Entering the block opens the store and accepts connections. That raises RuntimeError when another server uses the
    root, when the root is not the server's own folder (one that it made, or took when it was empty) or no folder, when
    something in it is not the server's, and when a record in it is damaged; OSError when the address is taken; and
    ValueError when the certificate and its key cannot be read.
    """

    def __init__(  # noqa: PLR0913 - each has a default and is given by name
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access_key_id: str = "local-access-key-id",
        access_key_secret: str = "local-access-key-secret",  # noqa: S107 - the documented default of a local server
        region: str = "cn-hangzhou",
        buckets: Sequence[str] = ("exports",),
        sts_sessions: Sequence[StsSession] = (),
        ram_users: Sequence[RamUser] = (),
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        ssl_certfile: str | os.PathLike[str] | None = None,
        ssl_keyfile: str | os.PathLike[str] | None = None,
        cname_buckets: Mapping[str, str] | None = None,
        admin: bool = False,
    ) -> None:
        for name in buckets:
            if not is_bucket_name(name):
                raise ValueError(f"{name!r} is no bucket name: 3-63 of a-z, 0-9 and -, first and last alphanumeric")
        if not 0 <= port <= _MAX_PORT:
            raise ValueError(f"port={port} is no port: give 1 to {_MAX_PORT}, or 0 for any free one")
        named = {"host": host, "access_key_id": access_key_id, "access_key_secret": access_key_secret, "root": root}
        if empty := [name for name, value in named.items() if value == ""]:
            raise ValueError(f"{empty[0]} is empty: leave it out for its default")
        if ssl_keyfile is not None and ssl_certfile is None:
            raise ValueError("ssl_keyfile is the key of a certificate: give ssl_certfile too")
        self.faults = Faults(route.operation.name for route in routes())
        self._ledger = Ledger()
        self._root = None if root is None else Path(root)
        self._address = (host, port)
        self._sts_sessions = list(sts_sessions)
        self._keyring = Keyring(access_key_id, access_key_secret, self._sts_sessions, tuple(ram_users))
        self._region = region
        self._bucket_names = tuple(buckets)
        self._limits = limits or Limits()
        self._clock = clock
        self._certificate = (ssl_certfile, ssl_keyfile)
        self._cname_buckets = dict(cname_buckets or {})
        self._admin = admin
        self._running: _Running | None = None
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            root = self._root or Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="oss-local-")))
            store = ending.enter_context(Store(root))
            self._check_certificate()
            self._create_buckets(store)
            self._ledger.open()
            ending.callback(self._ledger.close)
            self._running = _Running(self._bind(), self._config(store))
            ending.callback(self._running.stop)
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = None
        self._ending.close()

    @property
    def port(self) -> int:
        """The port the server listens on. Raises RuntimeError when it is not running."""
        if self._running is None:
            raise RuntimeError("the server is not running")
        return self._running.port

    @property
    def endpoint(self) -> str:
        """
        The URL for clients on this machine, such as ``http://127.0.0.1:43121``.

        Raises RuntimeError when the server is not running.
        """
        return self._url(_LOOPBACK_OF.get(self._address[0], self._address[0]))

    @property
    def page(self) -> str:
        """
        The URL of the first page for browsers. A host that has a name stands in it with its IP address.

        Raises RuntimeError when the server is not running.
        """
        if self._running is None or names_this_machine(self._address[0]):
            return f"{self.endpoint}{OVERVIEW}"
        return f"{self._url(self._running.ip)}{OVERVIEW}"

    @property
    def default_bucket(self) -> str:
        """The first of the buckets that the server was made with; empty when there was none."""
        return next(iter(self._bucket_names), "")

    def airflow_connection(self, **extra: object) -> str:
        """
        Return Airflow's connection to the server, as the JSON that a variable ``AIRFLOW_CONN_...`` has.

        Its default bucket is the server's. ``extra`` goes into the connection's extra, ``read_timeout=2`` for one.
        Raises RuntimeError when the server is not running.
        """
        certfile = self._certificate[0]
        verify = {} if certfile is None else {"verify": str(Path(certfile).absolute())}
        return connection_json(
            endpoint=self.endpoint,
            bucket=self.default_bucket,
            access_key_id=self._keyring.access_key_id,
            access_key_secret=self._keyring.access_key_secret,
            extra={"region": self._region, **verify, **extra},
        )

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests that arrived, in the order in which they ended."""
        return self._ledger.all()

    def follow_requests(self) -> Iterator[RecordedRequest]:
        """Yield each request that ends from the call of this method on, until the server stops."""
        return self._ledger.follow()

    def forget_requests(self) -> None:
        """Empty ``requests``."""
        self._ledger.forget()

    def add_sts_session(self, session: StsSession) -> None:
        """Accept one more session from now on. May be called from any thread."""
        self._sts_sessions.append(session)

    def wait_for_requests(
        self, predicate: Callable[[RecordedRequest], bool], timeout_seconds: float = 10.0
    ) -> RecordedRequest:
        """Return the first request, ended already or still to come, that fits. Raises TimeoutError."""
        return self._ledger.wait(predicate, timeout_seconds)

    def _url(self, host: str) -> str:
        scheme = "http" if self._certificate[0] is None else "https"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def _check_certificate(self) -> None:
        certfile, keyfile = self._certificate
        if certfile is None:
            return
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile)
        except OSError as error:
            raise ValueError(
                f"ssl_certfile={os.fspath(certfile)!r} with the key in {os.fspath(keyfile or certfile)!r} cannot be "
                f"read: {error}"
            ) from error

    def _create_buckets(self, store: Store) -> None:
        for name in self._bucket_names:
            if store.bucket(name) is None:
                store.put_bucket(BucketRecord(name, self._clock(), blocks_public_access=True))

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # Without the protocol asyncio does not turn Nagle's algorithm off, and small answers wait 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
        except OSError as error:
            listener.close()
            host, port = self._address
            raise OSError(error.errno, f"{error.strerror}: {host}, port {port}") from error
        return listener

    def _config(self, store: Store) -> uvicorn.Config:
        environment = Environment(store, self._limits, self._region, self._clock)
        gateway = Gateway(
            environment, self._keyring, self._cname_buckets, self.faults, self._ledger, with_admin=self._admin
        )
        certfile, keyfile = self._certificate
        return uvicorn.Config(
            gateway,
            loop="asyncio",
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ssl_certfile=certfile,
            ssl_keyfile=keyfile,
        )


class _Running:
    """A server that accepts connections, from construction to ``stop``."""

    def __init__(self, listener: socket.socket, config: uvicorn.Config) -> None:
        address = listener.getsockname()
        self.ip: str = address[0]
        self.port: int = address[1]
        self._failures: list[BaseException] = []
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, args=(listener,), name="oss-emulator", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        if self._failures:
            self._thread.join()
            raise self._failures[0]

    def stop(self) -> None:
        self._server.request_stop()
        self._thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - the thread's top frame hands it to the caller's thread
            self._failures.append(error)
        finally:
            listener.close()
            self._server.ready.set()


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it accepts connections, and when stopped cuts what does not end in time."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested = asyncio.Event()

    def request_stop(self) -> None:
        """Begin to stop. May be called from any thread, once ``ready`` is set."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_requested.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_WORKER_THREADS, "oss-emulator-worker"))
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wait; the loop of the base class wakes up ten times a second for headers that this server writes itself."""
        await self._stop_requested.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end, then reset who is left; unlike the base class, wait for nothing that is not there."""
        for listener in sockets or ():
            asyncio.get_running_loop().remove_reader(listener)
        await _let_pending_callbacks_run()  # asyncio loses a connection whose server is closed right after the accept
        for server in (*self.servers, *(sockets or ())):
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._wait_for_tasks(_GRACE_SECONDS)
        gateway: Any = self.config.app
        gateway.reset_open_connections()
        for task in await self._wait_for_tasks(_CANCEL_SECONDS):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await _let_pending_callbacks_run()  # they close the sockets

    async def _wait_for_tasks(self, seconds: float) -> set[asyncio.Task[None]]:
        """Return the requests that are still being served after so many seconds."""
        tasks = set(self.server_state.tasks)
        return (await asyncio.wait(tasks, timeout=seconds))[1] if tasks else tasks


async def _let_pending_callbacks_run() -> None:
    """Give the loop the turns that asyncio needs to make, or to close, the transport of a connection."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
