"""Alert documents in Elasticsearch or OpenSearch: finding them by their ids, and writing a few fields of them.

It is no connector type: nobody picks it for a case. What is written where is the business of `domain/alert_update.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from casebridge.connectors.http import Answer, Effect, Outbound, retry_after_s
from casebridge.connectors.tls import Tls, context_of
from casebridge.connectors.wording import Scrubber
from casebridge.domain.alert_update import FIELDS, SinkSettings
from casebridge.domain.errors import ConnectorError

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOST_TEXT = 300
_LONGEST = 10_000


class Document(msgspec.Struct, frozen=True):
    """A document as found; `source` holds FIELDS as it spells them."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    source: Mapping[str, Any]


class Written(msgspec.Struct, frozen=True):
    """What became of one write; `error` None: it was done."""

    status: int
    error: str | None = None

    @property
    def is_missing(self) -> bool:
        """The document is gone."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """Somebody else wrote the document since it was found."""
        return self.status == 409

    @property
    def is_passing(self) -> bool:
        """Waiting may help."""
        return self.status in _PASSING


class AlertStore:
    """One store, with the credentials of its settings. Raises ConnectorError when a whole call is not answered well."""

    def __init__(self, settings: SinkSettings, outbound: Outbound) -> None:
        self._base = settings.url.rstrip("/")
        self._credentials = _credentials(settings)
        secrets = {"username": settings.username, "password": settings.password, "api_key": settings.api_key}
        # A store, or a proxy before it, may say in an error what it was sent.
        self._scrub = Scrubber(secrets)
        self._outbound = outbound
        if settings.ca is not None:
            tls = Tls(ca=base64.b64encode(settings.ca.encode()).decode())
            self._outbound = outbound.trusting(tls.fingerprint, lambda: context_of(tls))

    async def find(self, index: str, ids: Sequence[str]) -> list[Document]:
        """The documents of these ids; behind an alias there may be several of one id. No index: no documents."""
        answer = await self._outbound.call(
            "POST",
            f"{self._base}/{quote(index, safe='')}/_search",
            effect=Effect.READS,
            params={"allow_partial_search_results": "false"},
            payload={
                "query": {"ids": {"values": list(ids)}},
                "size": min(10 * len(ids), 10_000),
                "seq_no_primary_term": True,
                "_source": list(FIELDS),
            },
            credentials=self._credentials,
        )
        if answer.status == 404 and _error_type(answer.value) == "index_not_found_exception":
            return []
        try:
            hits = _good(answer, self._scrub)["hits"]["hits"]
            return [
                Document(each["_index"], each["_id"], each["_seq_no"], each["_primary_term"], each.get("_source") or {})
                for each in hits
            ]
        except (KeyError, TypeError):
            raise _useless(answer, "search") from None

    async def write(self, changes: Sequence[tuple[Document, Mapping[str, Any]]]) -> list[Written]:
        """Merge partial documents into documents nobody wrote since they were found; what became of each, in order."""
        lines: list[Any] = []
        for document, partial in changes:
            target = {"_index": document.index, "_id": document.id}
            seen = {"if_seq_no": document.seq_no, "if_primary_term": document.primary_term}
            lines += [{"update": target | seen}, {"doc": partial}]
        answer = await self._outbound.call(
            "POST",
            f"{self._base}/_bulk",
            effect=Effect.OVERWRITES,
            # The next search must see what was written, or it would take our own write for somebody else's.
            params={"refresh": "wait_for"},
            lines=lines,
            credentials=self._credentials,
        )
        try:
            written = [_written(each["update"], self._scrub) for each in _good(answer, self._scrub)["items"]]
        except (KeyError, TypeError):
            raise _useless(answer, "bulk update") from None
        if len(written) != len(changes):
            raise _useless(answer, "bulk update")
        return written


def _credentials(settings: SinkSettings) -> dict[str, str]:
    if settings.api_key is not None:
        return {"authorization": f"ApiKey {settings.api_key}"}
    if settings.username is not None:
        pair = f"{settings.username}:{settings.password or ''}".encode()
        return {"authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def _written(item: Mapping[str, Any], scrub: Scrubber) -> Written:
    status = int(item["status"])
    return Written(status, None if status < 300 else _reason(item, scrub) or f"answered {status}")


def _good(answer: Answer, scrub: Scrubber) -> Any:
    """The body of an answer that is no refusal. Credentials and bad requests do not heal by waiting; the rest may."""
    if answer.is_success:
        return answer.value
    is_passing = answer.status in _PASSING
    raise ConnectorError(
        f"{answer.host} answered {answer.status}: {_reason(answer.value, scrub) or 'no reason given'}",
        code="unavailable" if is_passing else "refused",
        permanent=not is_passing,
        retry_after_s=retry_after_s(answer.headers),
        status=answer.status,
    )


def _useless(answer: Answer, what: str) -> ConnectorError:
    return ConnectorError(f"{answer.host} gave an answer that is none to a {what}", code="bad_answer", permanent=False)


def _error(body: Any) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else {"reason": error}


def _error_type(body: Any) -> str | None:
    kind = _error(body).get("type")
    return kind if isinstance(kind, str) else None


def _reason(body: Any, scrub: Scrubber) -> str | None:
    reason = _error(body).get("reason")
    return scrub(reason[:_LONGEST])[:_MOST_TEXT] if isinstance(reason, str) else None
