"""What ITSM and SecOps have in common: two ways to write, one to read (contract external/servicenow-itsm.md).

`usesTableApi` chooses the way of writing: rows of a table, or rows of an import set that an application of the vendor's
store transforms. Reading is always done by the Table API.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from casebridge.connectors.base import BadIncident, ConnectorType, ExternalComment, Record, SubAction
from casebridge.connectors.fields import BadValue, BoolField, SecretField, TextField, UrlField
from casebridge.connectors.http import Answer, Effect, Outbound
from casebridge.connectors.servicenow_shapes import ByExternalId, ByFields, NoParams, as_note, fitting, term
from casebridge.connectors.servicenow_signin import EARLY_S, BadKey, assertion, token_form, token_key
from casebridge.connectors.wording import Scrubber
from casebridge.domain.delivery import marked_case
from casebridge.domain.errors import ConnectorError

NOTE_PAGE = 25
"""Notes are long: so many of them stay below the limit of an answer."""
PAGE = 1_000
PAGES = 100
OAUTH_CONFIG = ("userIdentifierValue", "clientId", "jwtKeyId")
OAUTH_SECRETS = ("clientSecret", "privateKey")
SHORT = "sys_id,number,correlation_id,sys_created_on,sys_updated_on"

Query = dict[str, str | int]


class ServiceNowConnector(ConnectorType):
    """A table of a ServiceNow. The mark is the correlation id; notes are found by their text and never edited."""

    table: ClassVar[str]
    application: ClassVar[str]
    import_table: ClassVar[str]
    choice_tables: ClassVar[str]
    minimum_license_required = "platinum"
    config = (
        UrlField("apiUrl", "URL"),
        BoolField("usesTableApi", "Use the Table API", required=False, default=True),
        BoolField("isOAuth", "Sign in with OAuth", required=False, default=False),
        TextField("userIdentifierValue", "User identifier", required=False, nullable=True, default=None),
        TextField("clientId", "Client id", required=False, nullable=True, default=None),
        TextField("jwtKeyId", "JWT key id", required=False, nullable=True, default=None),
    )
    secrets = (
        TextField("username", "User name", required=False, nullable=True, default=None),
        SecretField("password", "Password", required=False, nullable=True, default=None),
        SecretField("clientSecret", "Client secret", required=False, nullable=True, default=None),
        SecretField("privateKey", "Private key", required=False, nullable=True, default=None, is_long=True),
        SecretField("privateKeyPassword", "Password of the key", required=False, nullable=True, default=None),
    )
    can_find_incidents = True
    can_list_comments = True

    def __init__(
        self,
        config: Mapping[str, Any],
        secrets: Mapping[str, Any],
        http: Outbound,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, secrets, http, settings)
        self._sent: dict[str, dict[str, Any]] = {}
        self._token: str | None = None
        self._hidden: dict[str, str] = {}

    # What may be saved

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        for name in OAUTH_CONFIG:
            if config["isOAuth"] and config[name] is None:
                raise BadValue(f"config.{name}", "needed because isOAuth is true.")

    @classmethod
    def check_secrets(cls, secrets: Mapping[str, Any]) -> None:
        if all(secrets[name] is None for name in ("username", "password", *OAUTH_SECRETS)):
            text = "expected username and password, or clientSecret and privateKey; given none of them."
            raise BadValue("secrets", text)
        is_basic = secrets["username"] is not None or secrets["password"] is not None
        pair = ("username", "password") if is_basic else OAUTH_SECRETS
        for name in pair:
            if secrets[name] is None:
                raise BadValue(f"secrets.{name}", f"{pair[0]} and {pair[1]} are needed together.")

    @classmethod
    def check_together(cls, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        basic = {f"secrets.{name}": secrets[name] for name in ("username", "password")}
        oauth = {f"secrets.{name}": secrets[name] for name in OAUTH_SECRETS}
        extra = {f"config.{name}": config[name] for name in OAUTH_CONFIG}
        needed, refused = (oauth, basic) if config["isOAuth"] else (basic, {**extra, **oauth})
        sign_in = f"isOAuth is {str(config['isOAuth']).lower()}"
        for path, value in needed.items():
            if value is None:
                raise BadValue(path, f"needed because {sign_in}.")
        for path, value in refused.items():
            if value is not None:
                raise BadValue(path, f"must not be set because {sign_in}.")

    def _checked(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(fields)
        if self._by_table and checked.get("additional_fields"):
            raise BadIncident("additional_fields: the Table API does not take them; use the import set (usesTableApi).")
        return checked

    # Where, and as whom

    @property
    def _by_table(self) -> bool:
        return bool(self._config.get("usesTableApi", True))

    @property
    def _base(self) -> str:
        return str(self._config["apiUrl"]).removesuffix("/")

    def _row_url(self, doing: str, *external_id: str) -> str:
        place = "/".join([self.table, *(self.segment(doing, each) for each in external_id)])
        return f"{self._base}/api/now/v2/table/{place}"

    async def call(self, doing: str, method: str, url: str, **how: Any) -> Answer:
        """A call signed in. With OAuth one that was answered 401 is repeated once, with a fresh token."""
        if not self._config.get("isOAuth"):
            return await super().call(doing, method, url, **how)
        name = token_key(self._config, self._secrets)
        token = self._http.tokens.get(name)
        is_last = token is None
        while True:
            self._use(token or await self._fresh_token(name))
            try:
                return await super().call(doing, method, url, **how)
            except ConnectorError as fault:
                if fault.status == 401:
                    self._http.tokens.forget(name)
                if fault.status != 401 or is_last:
                    raise
            token, is_last = None, True

    def _use(self, token: str | None, **secrets: str) -> None:
        """Sign in with this token from now on; neither it nor the secrets named get into a message."""
        if token != self._token or secrets:
            self._token = token
            self._hidden.update(secrets, **({"token": token} if token else {}))
            self._scrub = Scrubber({**self._secrets, **self._hidden})

    async def _fresh_token(self, name: str) -> str:
        """Ask for an access token and remember it for as long as it is good."""
        doing = "get an access token"
        try:
            signed = assertion(self._config, self._secrets, int(datetime.now(UTC).timestamp()))
        except BadKey as fault:
            raise self.trouble(doing, str(fault), code="configuration", permanent=True) from None
        self._use(None, assertion=signed)
        form = token_form(self._config, self._secrets, signed)
        url = f"{self._base}/oauth_token.do"
        answer = await super().call(doing, "POST", url, effect=Effect.READS, form=form)
        token, life_s = str(self.key(doing, answer.value, "access_token")), answer.value.get("expires_in")
        if isinstance(life_s, int | float | str) and re.fullmatch(r"\d{1,9}(\.\d+)?", str(life_s)):
            self._http.tokens.put(name, token, max(float(life_s) - EARLY_S, 0.0))
        return token

    def credentials(self) -> dict[str, str]:
        if self._config.get("isOAuth"):
            return {} if self._token is None else {"authorization": f"Bearer {self._token}"}
        user, password = self._secrets.get("username"), self._secrets.get("password")
        return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}

    # What an answer says

    def own_words(self, answer: Answer) -> str | None:
        body = answer.value
        said = body.get("error") if isinstance(body, dict) else None
        if said is None:
            return None
        parts = [said.get("message"), said.get("detail")] if isinstance(said, dict) else [said]
        parts += [] if isinstance(said, dict) else [body.get("error_description")]
        return ": ".join(str(each) for each in parts if each)

    def login_trouble(self, answer: Answer) -> str | None:
        return "the credentials were not accepted" if answer.status == 401 else None

    def wait_s(self, answer: Answer) -> float | None:
        asked, reset = super().wait_s(answer), answer.headers.get("x-ratelimit-reset", "")
        if asked is not None or answer.status != 429 or not re.fullmatch(r"\d{1,12}", reset):
            return asked
        return min(max(int(reset) - datetime.now(UTC).timestamp(), 0.0), 3600.0)

    # Single calls of a push

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        known = {**fields, "correlation_id": marked_case(marker)} if marker else fields
        sent = {name: fitting(name, value) for name, value in self.columns(known).items()}
        if self._by_table:
            return sent
        return {**{f"u_{name}": value for name, value in sent.items()}, **(fields.get("additional_fields") or {})}

    def columns(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The columns that these fields fill, by their bare names; nulls are left out."""
        return {name: value for name, value in fields.items() if value is not None and name != "additional_fields"}

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        held = {name: record.raw.get(name, record.raw.get(name.removeprefix("u_"))) for name in names}
        return {name: _reduced(value) or None for name, value in held.items()}

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        sent, user = self.outgoing(fields, marker), self._secrets.get("username")
        opened = {} if user is None else {self._column("caller_id"): user, self._column("opened_by"): user}
        external_id = await self._write("create incident", None, {**sent, **opened}, Effect.ADDS)
        self._sent[external_id] = sent
        return external_id

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        sent = self.outgoing(fields, marker)
        await self._write("update incident", external_id, sent, Effect.OVERWRITES)
        self._sent[external_id] = sent

    async def add_comment(self, external_id: str, text: str) -> str | None:
        """A note travels in an update, all fields repeated. The journal entry's id is not part of the answer."""
        if not text.strip():
            return None
        noted = {**self._sent.get(external_id, {}), self._column("work_notes"): self.comment_as_sent(text)}
        await self._write("create comment", external_id, noted, Effect.ADDS)
        return None

    def comment_as_sent(self, text: str) -> str:
        return as_note(text)

    def _column(self, name: str) -> str:
        return name if self._by_table else f"u_{name}"

    async def _write(self, doing: str, external_id: str | None, sent: dict[str, Any], effect: Effect) -> str:
        """Create a row, or change the one of this id; its id."""
        if not self._by_table:
            await self.check_application()
            return await self._import(doing, external_id, sent, effect)
        if external_id is None:
            answer = await self.call(doing, "POST", self._row_url(doing), effect=effect, payload=sent)
            return str(self.key(doing, answer.value, "result.sys_id", effect))
        answer = await self.call(doing, "PATCH", self._row_url(doing, external_id), effect=effect, payload=sent)
        self.key(doing, answer.value, "result", effect)
        return external_id

    async def check_application(self) -> None:
        """Make sure that the application behind the import set is there. Raises ConnectorError, which names it."""
        doing = f"find the application {self.application}, which the import set needs"
        answer = await self.call(doing, "GET", f"{self._base}/api/{self.application}/elastic_api/health")
        self.key(doing, answer.value, "result")

    async def _import(self, doing: str, external_id: str | None, sent: dict[str, Any], effect: Effect) -> str:
        """Hand a row to the import set. What its transformation did is told inside a 2xx."""
        known = {} if external_id is None else {"elastic_incident_id": external_id}
        url = f"{self._base}/api/now/import/{self.import_table}"
        answer = await self.call(doing, "POST", url, effect=effect, payload={**sent, **known})
        rows = self.key(doing, answer.value, "result", effect)
        row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None
        if row is None:
            text = "the import set answered without a result"
            raise self.trouble(doing, text, code="bad_answer", unknown=effect is Effect.ADDS)
        status = row.get("status")
        if status == "error" or (status == "ignored" and effect is Effect.ADDS and external_id is not None):
            said = [str(row[name]) for name in ("status_message", "error_message") if row.get(name)]
            text = f"the import set answered with the status {status}"
            raise self.trouble(doing, text, ": ".join(said), code="refused", permanent=True, status=answer.status)
        return external_id or str(self.key(doing, row, "sys_id", effect))

    async def read(self, external_id: str) -> Record:
        doing = "get incident"
        answer = await self.call(doing, "GET", self._row_url(doing, external_id))
        return self._record(doing, self.key(doing, answer.value, "result"))

    def _record(self, doing: str, row: Any) -> Record:
        sys_id, number = str(self.key(doing, row, "sys_id")), str(self.key(doing, row, "number"))
        shown = re.sub(r"//[^/@]*@", "//", self._base)
        url = f"{shown}/nav_to.do?uri={self.table}.do?sys_id={sys_id}"
        return Record(sys_id, number, url, row, _time(row.get("sys_updated_on")) or _time(row.get("sys_created_on")))

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        return await self.find_correlated(marked_case(marker))

    async def find_correlated(self, correlation_id: str) -> list[Record]:
        """Records with that correlation id, oldest first.

        A condition that the system drops would hand us everything, so each row is looked at.
        """
        doing, wanted = "find incidents", fitting("correlation_id", correlation_id)
        query = f"ORDERBYDESCsys_created_on^{term('correlation_id', wanted)}"
        asked: Query = {"sysparm_query": query, "sysparm_fields": SHORT}
        rows = [
            self._record(doing, each)
            async for each in self._rows(doing, self._row_url(doing), asked)
            if each.get("correlation_id") == wanted
        ]
        return rows[::-1]

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        """The notes of the journal: they read back empty from the record itself."""
        query = f"{term('element_id', external_id)}^element=work_notes^ORDERBYsys_created_on^ORDERBYsys_id"
        asked: Query = {"sysparm_query": query, "sysparm_fields": "sys_id,element_id,value,sys_created_on"}
        doing, url = "get comments", f"{self._base}/api/now/table/sys_journal_field"
        return [
            ExternalComment(str(each.get("sys_id") or ""), str(each.get("value") or ""))
            async for each in self._rows(doing, url, asked, size=NOTE_PAGE)
            if _reduced(each.get("element_id", external_id)) == external_id
        ]

    async def _rows(self, doing: str, url: str, query: Query, size: int = PAGE) -> AsyncIterator[dict[str, Any]]:
        """The rows of all pages. Version 1 of the API answers 404 where there is none."""
        seen: set[str] = set()
        for number in range(PAGES):
            asked = {**query, "sysparm_limit": size, "sysparm_offset": number * size}
            answer = await self.call(doing, "GET", url, params=asked, may_be_missing=True)
            if answer.status == 404:
                if "No Record found" in (self.own_words(answer) or ""):
                    return
                raise self.refusal(doing, answer, Effect.READS)
            rows = self.key(doing, answer.value, "result")
            fresh = [each for each in rows if not each.get("sys_id") or each["sys_id"] not in seen]
            for row in fresh:
                yield row
            seen.update(str(each.get("sys_id")) for each in fresh)
            if len(rows) != size or not fresh:
                return
        text = f"the answer has more than {PAGES} pages"
        raise self.trouble(doing, text, code="bad_answer", permanent=True)

    async def test(self) -> str:
        doing = "test the connection"
        if not self._by_table:
            await self.check_application()
        asked: Query = {"sysparm_limit": 1, "sysparm_fields": "sys_id"}
        answer = await self.call(doing, "GET", self._row_url(doing), params=asked)
        self.key(doing, answer.value, "result")
        way = "" if self._by_table else f" The application {self.application} is installed."
        return f"{self.label} accepted the credentials; the table {self.table} can be read.{way}"

    # Direct runs

    async def _fields(self, params: NoParams) -> list[dict[str, Any]]:
        """The columns that a text can be written to."""
        asked: Query = {
            "sysparm_query": f"{self.choice_tables}^internal_type=string",
            "active": "true",
            "array": "false",
            "read_only": "false",
            "sysparm_fields": "max_length,element,column_label,mandatory",
        }
        url = f"{self._base}/api/now/table/sys_dictionary"
        return [each async for each in self._rows("get fields", url, asked)]

    async def _choices(self, params: ByFields) -> list[dict[str, Any]]:
        """The choices of some columns."""
        if not params.fields:
            return []
        elements = "^OR".join(f"element={each}" for each in params.fields)
        asked: Query = {
            "sysparm_query": f"{self.choice_tables}^{elements}^language=en",
            "sysparm_fields": "label,value,dependent_value,element",
        }
        url = f"{self._base}/api/now/table/sys_choice"
        return [each async for each in self._rows("get choices", url, asked)]

    async def _incident(self, params: ByExternalId) -> dict[str, Any]:
        return dict((await self.read(params.external_id)).raw)

    sub_actions: ClassVar[Mapping[str, SubAction]] = {
        "getFields": SubAction(NoParams, _fields),
        "getChoices": SubAction(ByFields, _choices),
        "getIncident": SubAction(ByExternalId, _incident),
    }

    async def _first(self, doing: str, external_id: str) -> Record | None:
        """The record, or None when it is not there."""
        url = self._row_url(doing, external_id)
        answer = await self.call(doing, "GET", url, may_be_missing=True)
        return None if answer.status == 404 else self._record(doing, self.key(doing, answer.value, "result"))


def _time(text: Any) -> datetime | None:
    """A time as ServiceNow writes it (`2026-03-04 05:06:07`), which is UTC; None where there is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if isinstance(text, str) else None
    except ValueError:
        return None


def _reduced(value: Any) -> Any:
    """Of a reference, the id it points to."""
    return value.get("value") if isinstance(value, dict) else value
