"""`casebridge serve`: listens, wires the program and runs it until a signal asks to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import casebridge
from casebridge.cli.metrics_folder import FOLDER_VARIABLE, metrics_folder
from casebridge.cli.options import AllOptions, read
from casebridge.settings import SETTINGS, Loaded, Settings, SettingsError, to_environ


def serve(options: AllOptions = None) -> int:
    """Run the server until SIGTERM or Ctrl+C asks it to stop.

    Every option is also a variable, `--port` for example `CASEBRIDGE_PORT`, and a key of the TOML file. Keep a password
    in `--database-url` out of the command line: set `CASEBRIDGE_DATABASE_URL` instead. The password of the first user
    can only be given as `CASEBRIDGE_ADMIN_PASSWORD` or in the file. Preconfigured connectors are tables of the file;
    see docs/settings.md.
    """
    loaded = read(options)
    settings = loaded.settings
    from casebridge.cli.https import https_of

    https_of(settings)
    # Only `_serve_many` shares counts between processes, in a folder of its own.
    os.environ.pop(FOLDER_VARIABLE, None)
    with ExitStack() as bound:
        listeners = [bound.enter_context(listen(settings.host, settings.port))]
        if settings.metrics_port is not None:
            listeners.append(bound.enter_context(listen_for_metrics(settings)))
        # What follows takes a moment to import; a wrong setting should not have to wait for it.
        from casebridge.app import start_logs

        start_logs(loaded)
        return _serve_alone(settings, listeners) if settings.workers == 1 else _serve_many(loaded, listeners)


def listen_for_metrics(settings: Settings) -> socket.socket:
    """The same as `listen`, on the port of metrics, which must be set."""
    assert settings.metrics_port is not None
    return listen(settings.metrics_host, settings.metrics_port, "metrics_")


def listen(host: str, port: int, prefix: str = "") -> socket.socket:
    """A bound socket, which takes no connection yet; SettingsError for an unknown host, CannotStart otherwise.

    `prefix` is what the names of the settings for it begin with.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise SettingsError(
            f"{prefix}host: {host} is not known here; expected an address or name of this machine."
        ) from None
    # A name such as localhost may stand for both kinds of address: take the one that everybody tries.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        from casebridge.app import CannotStart

        advice = f" Choose another --{prefix.replace('_', '-')}port" if error.errno == errno.EADDRINUSE else ""
        advice += "" if not advice else ", or 0 for a free one." if not prefix else "."
        raise CannotStart(f"Cannot listen on {host} port {port}: {error.strerror}.{advice}") from None
    listener.set_inheritable(True)
    return listener


def _url(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.https_cert_file is None else "https"
    return f"{scheme}://{host}:{listener.getsockname()[1]}{settings.base_path}"


def uvicorn_config(app: Any, settings: Settings, **more: Any) -> Any:
    """How uvicorn is to serve an application; it neither logs requests nor believes proxy headers."""
    import uvicorn

    from casebridge.cli.https import https_of
    from casebridge.cli.protocol import Bounds, Protocols

    bounds = Bounds(
        slow_s=settings.slow_client_s,
        connections=settings.max_connections,
        connections_per_address=settings.max_connections_per_address,
        trusted_proxies=settings.trusted_proxies,
    )

    return uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(Any, Protocols(bounds)),
        ssl_context_factory=https_of(settings),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.drain_s,
        **more,
    )


def _serve_alone(settings: Settings, listeners: Sequence[socket.socket]) -> int:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, listeners))
    return 0


async def _run(settings: Settings, listeners: Sequence[socket.socket]) -> None:
    from casebridge.app import build

    program = await build(settings)
    try:
        config = uvicorn_config(program.entrance, settings, lifespan="off")
        server = _server(config, program, _url(settings, listeners[0]))
        await server.serve(sockets=list(listeners))
    finally:
        await program.close()


def _server(config: Any, program: Any, url: str) -> Any:
    """A uvicorn server that drains the program together with its own requests, and then ends with exit code 0."""
    import structlog
    import uvicorn
    from uvicorn.server import HANDLED_SIGNALS

    log = structlog.get_logger(__name__)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            log.info("listening", url=url, version=casebridge.__version__)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            log.info("stopping")
            program.stop()
            await super().shutdown(sockets)
            await program.close()
            log.info("stopped")

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Until everything is closed, a signal asks to stop; none is raised again afterwards."""
            before = {each: signal.signal(each, self.handle_exit) for each in HANDLED_SIGNALS}
            try:
                yield
            finally:
                for each, handler in before.items():
                    signal.signal(each, handler)

    return Server(config)


def _serve_many(loaded: Loaded, listeners: Sequence[socket.socket]) -> int:
    """Several processes on the same sockets. Database, key and first user are made before the first of them starts."""
    import structlog
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    settings = loaded.settings
    asyncio.run(_rehearse(settings))
    os.environ.pop(SETTINGS["admin_password"].variable, None)
    os.environ.update(to_environ(loaded))
    structlog.get_logger(__name__).info("listening", url=_url(settings, listeners[0]), workers=settings.workers)
    config = uvicorn_config("casebridge.app:asgi", settings, lifespan="on", factory=True, workers=settings.workers)
    supervisor = Multiprocess(config, sockets=list(listeners))
    with ExitStack() as held:
        if settings.metrics or settings.metrics_port is not None:
            os.environ[FOLDER_VARIABLE] = str(held.enter_context(metrics_folder(settings.data)))
        supervisor.run()
    return 1 if any(each.exitcode == STARTUP_FAILURE for each in supervisor.processes) else 0


async def _rehearse(settings: Settings) -> None:
    from casebridge.app import build

    program = await build(settings, background=lambda ground, settings: [])
    await program.close()
