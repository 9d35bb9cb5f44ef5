"""The composition root: from settings to a wired program, and back down again in order.

`build` opens everything one server process needs, `Program.close` lets go of it, the database last. `asgi` is the same
for servers that want to be given an application. Only this module knows every room.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import structlog

from casebridge import logs
from casebridge.api.dispatch import ApiSettings, api_app
from casebridge.api.front import Front
from casebridge.api.scraping import Application, MetricsApp, Scrape, by_port
from casebridge.api.table import ROUTES
from casebridge.api.tally import Tally
from casebridge.connectors import registry
from casebridge.connectors.egress import Egress, HostTls, Proxy
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.tls import Tls, TlsFault, context_of
from casebridge.domain.alert_update import SinkSettings
from casebridge.domain.attachment import AttachmentTypes
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import RetryRule
from casebridge.domain.errors import CasebridgeError, InvalidInput, StorageUnavailable
from casebridge.domain.file import FileRules
from casebridge.domain.file_types import ALLOWED_TYPES
from casebridge.domain.session import SessionRule
from casebridge.push.crew import Background, Crew
from casebridge.push.heartbeat import Heartbeat
from casebridge.push.sealer import Copy, Sealer
from casebridge.push.worker import Worker
from casebridge.security.oidc import OidcSettings
from casebridge.security.passwords import check_new_password
from casebridge.security.proxies import Proxies
from casebridge.security.vault import KeyFile, VaultError, ensure_key
from casebridge.services.accounts import ADMIN, ensure_admin
from casebridge.services.files import sweep
from casebridge.services.ground import Ground, PushSettings
from casebridge.settings import AlertSink, Loaded, Preconfigured, Settings, load, masked_url
from casebridge.storage import connectors as stored_connectors
from casebridge.storage.audit_copy import FileCopy, StandardOutput
from casebridge.storage.blobs import Blobs, FileStore
from casebridge.storage.migrations import HEAD, migrate_apart, schema_number
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database
from casebridge.web.site import Site, WebSettings
from casebridge.web.table import PAGES

log = structlog.get_logger(__name__)

UPLOAD_PATIENCE = timedelta(hours=1)

Level = Literal["available", "degraded", "unavailable"]


class CannotStart(CasebridgeError):
    """The server cannot run here; one line says why and what to do."""

    exit_code = 1


class StoreRefused(CannotStart):
    """The store must not be used by this server as things are: touching it could lose something."""

    exit_code = 3


class Program:
    """A wired server: `site` answers requests, for pages itself and for all else by `api`; the background works beside
    it. `entrance` is what is served: the site, and on the port of metrics those."""

    def __init__(
        self, ground: Ground, settings: Settings, background: Sequence[Background], held: AsyncExitStack
    ) -> None:
        self.ground = ground
        has_metrics = settings.metrics or settings.metrics_port is not None
        tally = Tally(ROUTES) if has_metrics else None
        scrape = _exposed(ground, tally, self._is_working, held) if has_metrics else None
        api_settings = _api_settings(settings, self._worker_level, tally, scrape if settings.metrics else None)
        self.api = api_app(ground, ROUTES, settings=api_settings)
        self.site = Site(ground, PAGES, self.api, settings=_web_settings(settings), callers=self.api.kernel.callers)
        self.entrance = _front(self.site, settings)
        if scrape is not None and settings.metrics_port is not None:
            self.entrance = by_port(settings.metrics_port, MetricsApp(scrape), self.entrance)
        self._held = held
        self._crew = Crew(background, settings.drain_s)
        # A crew of its own: it says nothing of how the worker is, and it ends last, to seal what the others do.
        self._sealing = Crew([sealer_of(ground, settings)], settings.drain_s)

    def stop(self) -> None:
        """Tell the background to take up nothing new; from now on `close` has `drain_s` seconds."""
        self.site.close()
        self._crew.stop()

    async def close(self) -> None:
        """Wait for what is under way in the background, then let go of everything, the database last."""
        await self._crew.close()
        await self._sealing.close()
        await self._held.aclose()

    def _worker_level(self) -> Level:
        return "available" if self._is_working() else "unavailable"

    def _is_working(self) -> bool:
        return self._crew.is_well


def _oidc(settings: Settings) -> OidcSettings | None:
    if settings.oidc_issuer is None:
        return None
    roles: dict[str, tuple[str, ...]] = {}
    for each in settings.oidc_roles:
        group, _, role = each.rpartition("=")
        roles[group] = (*roles.get(group, ()), role)
    return OidcSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id or "",
        client_secret=settings.oidc_client_secret,
        scopes=settings.oidc_scopes,
        username_claim=settings.oidc_username_claim,
        groups_claim=settings.oidc_groups_claim,
        roles=roles,
        default_roles=settings.oidc_default_roles,
        label=settings.oidc_label,
    )


def _front(site: Site, settings: Settings) -> Application:
    """The way in; it is longer only where a proxy stands before it."""
    return Front(site, Proxies(settings.trusted_proxies)) if settings.trusted_proxies else site


def _exposed(ground: Ground, tally: Tally | None, is_working: Callable[[], bool], held: AsyncExitStack) -> Scrape:
    """What tells the metrics. Its library is loaded by those alone who want them."""
    from casebridge.api.prometheus import Exposition

    exposition = Exposition(ground, tally, is_working)
    held.push_async_callback(exposition.close)
    return exposition.scrape


def _api_settings(
    settings: Settings, worker_level: Callable[[], Level], tally: Tally | None, metrics: Scrape | None
) -> ApiSettings:
    return ApiSettings(
        server_name=settings.server_name,
        base_path=settings.base_path,
        body_limit_bytes=settings.max_body_bytes,
        check_kbn_version=settings.check_kbn_version,
        security=settings.security,
        require_internal_origin=settings.strict_internal_origin,
        hsts_s=settings.hsts_s,
        worker_level=worker_level,
        tally=tally,
        metrics=metrics,
    )


def _web_settings(settings: Settings) -> WebSettings:
    return WebSettings(
        base_path=settings.base_path,
        public_base_url=settings.public_base_url,
        cookie_secure=settings.session_cookie_secure,
        hsts_s=settings.hsts_s,
        oidc=_oidc(settings),
        body_limit_bytes=settings.max_body_bytes,
        upload_limit_bytes=max(settings.files_max_bytes, 104_857_600) + settings.max_body_bytes,
    )


def _print_password(password: str) -> None:
    print(
        f'\nThe user "{ADMIN}" was made, with the password\n\n    {password}\n\nIt is shown this once.\n',
        file=sys.stderr,
    )
    sys.stderr.flush()


def _push_worker(ground: Ground, settings: Settings) -> Sequence[Background]:
    return workers_of(ground, "serve") if settings.worker else []


def workers_of(ground: Ground, command: str) -> Sequence[Background]:
    """A worker, and where other processes may share the store, its signs of life."""
    signs = [Heartbeat(ground, command)] if ground.database.dialect == "postgresql" else []
    return [Worker(ground), *signs]


def sealer_of(ground: Ground, settings: Settings) -> Sealer:
    """Seals the audit trail of the store, and copies it to where the settings say."""
    copies: list[Copy] = []
    if settings.audit_file is not None:
        copies.append(FileCopy(ground.database, settings.audit_file))
    if settings.audit_stdout:
        copies.append(StandardOutput(ground.database, sys.stdout.buffer))
    return Sealer(ground, copies)


async def build(
    settings: Settings,
    *,
    background: Callable[[Ground, Settings], Sequence[Background]] = _push_worker,
    tell_password: Callable[[str], None] = _print_password,
) -> Program:
    """Open everything and wire it. CannotStart in one line when that cannot be.

    `background` makes the work beside requests; `tell_password` is called once with the password made up for the first
    user.
    """
    held = AsyncExitStack()
    try:
        ground = await _open(settings, held, tell_password)
        return Program(ground, settings, background(ground, settings), held)
    except BaseException:
        await held.aclose()
        raise


@asynccontextmanager
async def working_apart(settings: Settings) -> AsyncIterator[Application | None]:
    """A worker without a server, until the block ends; what tells its metrics, if they are wanted. CannotStart when it
    cannot be.

    It makes neither a key nor the first user: those are the server's, and so are files.
    """
    async with AsyncExitStack() as held:
        if not settings.key_file.exists():
            raise CannotStart(
                f"The key file {settings.key_file} is missing; start the server once, or copy its key file here."
            )
        database = await open_current(settings)
        held.push_async_callback(database.close)
        ground = _ground(settings, database, await open_vault(settings, database), held)
        sealing = Crew([sealer_of(ground, settings)], settings.drain_s)
        held.push_async_callback(sealing.close)
        crew = Crew(workers_of(ground, "worker"), settings.drain_s)
        held.push_async_callback(crew.close)
        if settings.metrics_port is None:
            yield None
        else:
            yield MetricsApp(_exposed(ground, None, lambda: crew.is_well, held))


@asynccontextmanager
async def ground_beside(settings: Settings) -> AsyncIterator[Ground]:
    """What services stand on, over a store that is there already; a server may run on it meanwhile.

    CannotStart when there is no such store, or it is not one of this program.
    """
    async with AsyncExitStack() as held:
        database = await open_existing(settings)
        held.push_async_callback(database.close)
        yield _ground(settings, database, await open_vault(settings, database), held)


@asynccontextmanager
async def ground_on(settings: Settings, database: Database) -> AsyncIterator[Ground]:
    """What services stand on, over a database that is open already."""
    async with AsyncExitStack() as held:
        yield _ground(settings, database, await open_vault(settings, database), held)


async def _open(settings: Settings, held: AsyncExitStack, tell_password: Callable[[str], None]) -> Ground:
    """Everything services stand on; `held` lets go of it in the opposite order."""
    make_data_folder(settings.data)
    if settings.database_url is None:
        held.enter_context(holding(settings.data))
    database = await open_current(settings)
    held.push_async_callback(database.close)
    vault = await open_vault(settings, database)
    _tell_weak_password(settings)
    password = await ensure_admin(database, settings.admin_password)
    if password is not None:
        tell_password(password)
    ground = _ground(settings, database, vault, held)
    await _sweep(ground, settings)
    return ground


async def _sweep(ground: Ground, settings: Settings) -> None:
    """Put files in order after a crash. With SQLite nobody else serves this store, so no upload can be under way."""
    assert ground.blobs is not None
    patience = timedelta(0) if settings.database_url is None else UPLOAD_PATIENCE
    try:
        await ground.blobs.check()
        mended = await sweep(ground.database, ground.blobs, ground.now(), patience)
    except StorageUnavailable as error:
        # Cases are of use without their files, and a bucket may come back; a request for a file is told.
        log.warning("files cannot be used, and were not put in order", reason=str(error))
        return
    if mended:
        log.warning("files that an earlier stop left behind were put in order", count=mended)


def _tell_troubles(settings: Settings, allowed: AllowedHosts) -> None:
    """Log which connector types and preconfigured connectors of the settings cannot work; that stops nothing."""
    known = registry.types()
    for type_id in settings.enabled_connector_types:
        if type_id != "*" and type_id not in known:
            log.warning("an enabled connector type is not known to this version", type=type_id)
    for each in settings.connectors:
        try:
            if each.type in known:
                known[each.type].validate(each.config, each.secrets, allowed, legacy=True)
            elif each.problem is None:
                log.warning("the type of a preconfigured connector is not known", connector=each.id, type=each.type)
        except InvalidInput as error:
            log.warning("a preconfigured connector will not work", connector=each.id, reason=str(error))


def _tell_weak_password(settings: Settings) -> None:
    """Log that the first password is one that others would try too; whoever starts a server may decide so."""
    if settings.admin_password is None:
        return
    try:
        check_new_password(settings.admin_password, least=settings.password_min_length, username=ADMIN)
    except InvalidInput as error:
        log.warning("the password in admin_password is weak", reason=error.reason)


def _tell_sinks(settings: Settings, allowed: AllowedHosts) -> None:
    """Log which alert sinks cannot be reached under the present settings; that stops nothing either."""
    for space, sink in settings.alert_sinks.items():
        refusal = allowed.refusal(sink.url)
        if refusal is not None:
            log.warning("an alert sink will not work", space=space, reason=refusal)


def make_data_folder(folder: Path) -> None:
    """The data folder with its parts, open to its owner alone when it is made here."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "files").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"The data folder {folder} cannot be made: {error.strerror}.") from None


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Be the one server of the SQLite database in this folder; StoreRefused when there is one already."""
    path = folder / "casebridge.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"The data folder {folder} cannot be written to: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise StoreRefused(
            f"The database in {folder} is served by another process (id {other}); stop it first, or use another --data."
        ) from None
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


async def open_current(settings: Settings) -> Database:
    """The database at the schema of this program, migrated if it was older; StoreRefused when it is newer."""
    target = settings.database_target
    if isinstance(target, Path):
        _make_private(target)
    try:
        database = await open_database(target, pool_size=settings.database_pool_size)
        try:
            if is_current(await schema_number(database), settings):
                return database
        except BaseException:
            await database.close()
            raise
        await database.close()
        log.info("the database is being migrated", to=HEAD)
        await migrate_apart(target)
        return await open_database(target, pool_size=settings.database_pool_size)
    except StorageUnavailable as error:
        raise CannotStart(str(error)) from error


async def open_existing(settings: Settings) -> Database:
    """The database as it is; StoreRefused unless it has this program's schema."""
    target = settings.database_target
    if isinstance(target, Path) and not target.exists():
        raise CannotStart(f"There is no database {target}; start the server once, or check --data.")
    try:
        database = await open_database(target, pool_size=1)
        try:
            if not is_current(await schema_number(database), settings):
                raise StoreRefused("The database has an older schema; run casebridge migrate, or start the server.")
        except BaseException:
            await database.close()
            raise
        return database
    except StorageUnavailable as error:
        raise CannotStart(str(error)) from error


def is_current(number: str | None, settings: Settings) -> bool:
    """Whether a schema is this program's; False when it is older or missing, StoreRefused when it is newer."""
    if number is None or number == HEAD:
        return number == HEAD
    if not number.isdecimal() or int(number) > int(HEAD):
        named = settings.database_target if settings.database_url is None else masked_url(settings.database_url)
        raise StoreRefused(
            f"The database {named} has schema {number}, newer than the {HEAD} of this version; "
            "run the version that wrote it, or restore a backup made before the upgrade."
        )
    return False


def _make_private(file: Path) -> None:
    """Make a SQLite file before SQLite does, so that its mode, which the files beside it take over, is 0600."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise CannotStart(f"The database {file} cannot be opened: {error.strerror}.") from None


async def open_vault(settings: Settings, database: Database) -> KeyFile:
    """The vault, with a new key for a store that holds no secret yet; StoreRefused when the keys of one are missing."""
    path = settings.key_file
    if not path.exists() and await stored_connectors.list_sealed(database):
        raise StoreRefused(
            f"The key file {path} is missing, but the database holds secrets sealed with it; restore it from a backup."
        )
    try:
        if ensure_key(path):
            log.info("an encryption key was made; back it up apart from the database", file=str(path))
        elif path.stat().st_mode & 0o077:
            log.warning("the key file can be read by others; chmod 600 it", file=str(path))
        return KeyFile(path)
    except (VaultError, OSError) as error:
        raise CannotStart(str(error)) from None


def _ground(settings: Settings, database: Database, vault: KeyFile, held: AsyncExitStack) -> Ground:
    allowed = AllowedHosts(settings.allowed_hosts)
    _tell_troubles(settings, allowed)
    _tell_sinks(settings, allowed)
    outbound = Outbound(allowed, timeout_s=settings.connector_timeout_s, egress=outbound_tls(settings))
    held.push_async_callback(outbound.close)
    return Ground(
        database=database,
        vault=vault,
        outbound=outbound,
        allowed_hosts=allowed,
        preconfigured={each.id: _connector(each) for each in settings.connectors},
        preconfigured_secrets={each.id: each.secrets for each in settings.connectors},
        enabled_connector_types=settings.enabled_connector_types,
        public_base_url=settings.public_base_url,
        attachment_types=AttachmentTypes().with_more(
            settings.external_reference_types, settings.persistable_state_types
        ),
        blobs=_file_store(settings),
        file_rules=FileRules(settings.files_max_bytes or None, frozenset(settings.files_mime_types) or ALLOWED_TYPES),
        sessions=SessionRule(settings.session_idle_s, settings.session_lifetime_s),
        password_min_length=settings.password_min_length,
        alert_sinks={space: _alert_sink(space, each) for space, each in settings.alert_sinks.items()},
        push=PushSettings(
            lease_s=settings.lease_s,
            wait_s=settings.push_wait_s,
            lookup_lag_s=settings.lookup_lag_s,
            call_timeout_s=settings.connector_timeout_s,
            worker_poll_s=settings.worker_poll_s,
            retry=RetryRule(settings.retry_first_s, settings.retry_max_s, settings.retry_attempts),
            circuit_faults=settings.circuit_faults,
            circuit_probe_s=settings.circuit_probe_s,
            auto_push_quiet_s=settings.auto_push_quiet_s,
        ),
    )


def _file_store(settings: Settings) -> FileStore:
    """Where contents of files are kept."""
    if settings.files_bucket is None:
        return Blobs(settings.data / "files")
    # Its library is loaded by those alone who use it.
    from casebridge.storage.bucket import Bucket, BucketPlace
    from casebridge.storage.bucket_parts import Keys

    id_, secret = settings.files_access_key_id, settings.files_secret_access_key
    return Bucket(
        BucketPlace(
            name=settings.files_bucket,
            prefix=settings.files_prefix,
            endpoint=settings.files_endpoint,
            region=settings.files_region,
            keys=None if id_ is None or secret is None else Keys(id_, secret),
        )
    )


def outbound_tls(settings: Settings) -> Egress:
    """How connections leave; CannotStart when a certificate or key cannot be used."""
    everywhere = HostTls(mode=settings.tls_verification, ca_file=settings.tls_ca_file)
    hosts = [
        HostTls(
            host=each.host,
            port=each.port,
            mode=each.verification,
            ca_file=each.ca_file or settings.tls_ca_file,
            cert_file=each.cert_file,
            key_file=each.key_file,
            key_password=each.key_password,
        )
        for each in settings.tls
    ]
    for each in (everywhere, *hosts):
        if each.mode != "full":
            log.warning("TLS certificates are not fully checked", host=each.host or "all", verification=each.mode)
    proxy = None if settings.proxy_url is None else Proxy(settings.proxy_url, settings.proxy_bypass)
    try:
        return Egress(proxy=proxy, everywhere=everywhere, hosts=hosts)
    except TlsFault as error:
        raise CannotStart(f"TLS towards external systems: {error}.") from None


def _connector(given: Preconfigured) -> Connector:
    return Connector(
        id=given.id,
        space="",
        name=given.name,
        type=given.type,
        config=given.config,
        is_preconfigured=True,
        expose_config=given.expose_config,
    )


def _alert_sink(space: str, given: AlertSink) -> SinkSettings:
    ca = None
    if given.ca_file is not None:
        try:
            ca = given.ca_file.read_text("ascii")
            context_of(Tls(ca=base64.b64encode(ca.encode()).decode()))
        except (OSError, UnicodeDecodeError, TlsFault):
            raise CannotStart(f"The authority {given.ca_file} of space {space}'s alert sink is no PEM file.") from None
    return SinkSettings(
        url=given.url,
        username=given.username,
        password=given.password,
        api_key=given.api_key,
        ca=ca,
        indices=given.indices,
    )


class Served:
    """A program as an ASGI application that is opened and closed by the lifespan messages of its server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._program: Program | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._program is not None:
            await self._program.entrance(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            self._program = await build(self._settings)
        except CasebridgeError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        watch = asyncio.create_task(_end_with_parent())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watch.cancel()
        await self._program.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _end_with_parent() -> None:
    """Stop this server process when the process that started it as one of several was killed."""
    parent = multiprocessing.parent_process()
    while parent is not None:
        if not parent.is_alive():
            os.kill(os.getpid(), signal.SIGTERM)
            return
        await asyncio.sleep(1)


def asgi(environ: Mapping[str, str] = os.environ) -> Served:
    """The application with settings from variables and the TOML file: `uvicorn --factory casebridge.app:asgi`."""
    loaded = load({}, environ)
    start_logs(loaded)
    return Served(loaded.settings)


def start_logs(loaded: Loaded) -> None:
    """Log as the settings say, beginning with what looks odd in them."""
    logs.set_up(loaded.settings.log_level, loaded.settings.log_format)
    for warning in loaded.warnings:
        log.warning(warning)
