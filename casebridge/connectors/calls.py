"""Calls of a connector type: what goes along with each, and what every kind of answer means.

The rules of external/README.md ("Outcome of a write") live here; the words and signs of one system in its own module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from casebridge.connectors.http import Answer, Effect, Outbound, retry_after_s
from casebridge.connectors.wording import Scrubber, failure, readable
from casebridge.domain.errors import ConnectorError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that waiting may heal; so may the unofficial ones above 511 that proxies in between use."""


class Caller:
    """One connector talking to its system. Types override how it signs in and how it words its refusals."""

    label: ClassVar[str]

    def __init__(self, secrets: Mapping[str, Any], http: Outbound) -> None:
        self._http = http
        self._scrub = Scrubber(secrets)

    def headers(self) -> dict[str, str]:
        """Headers of every call that are no secret."""
        return {}

    def credentials(self) -> dict[str, str]:
        """Headers of every call that no other host may see."""
        return {}

    def own_words(self, answer: Answer) -> str | None:
        """The system's own error text; empty if it has none to say, None if the body is not the system's own."""
        return None

    def login_trouble(self, answer: Answer) -> str | None:
        """What an answer says about refused credentials, whatever its status; None when it says nothing."""
        return None

    async def call(
        self,
        doing: str,
        method: str,
        url: str,
        *,
        effect: Effect = Effect.READS,
        params: Mapping[str, str | int] | None = None,
        payload: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        needs_body: bool = True,
        may_be_missing: bool = False,
    ) -> Answer:
        """One call with a usable 2xx answer; everything else is a ConnectorError about what was being done.

        `headers` go along with this one call, beside those of every call.
        `may_be_missing`: a 404 is an answer too, unless it is about credentials.
        """
        try:
            answer = await self._http.call(
                method,
                url,
                effect=effect,
                params=params,
                payload=payload,
                form=form,
                headers={**self.headers(), **(headers or {})},
                credentials=self.credentials(),
                needs_body=needs_body,
            )
        except ConnectorError as fault:
            raise self.trouble(
                doing,
                fault.message,
                code=fault.code,
                permanent=fault.permanent,
                unknown=fault.unknown,
                retry_after_s=fault.retry_after_s,
                status=fault.status,
            ) from None
        trouble = self.login_trouble(answer)
        if may_be_missing and answer.status == 404 and trouble is None:
            return answer
        if not answer.is_success or (trouble is not None and effect is Effect.READS):
            raise self.refusal(doing, answer, effect)
        return answer

    def refusal(self, doing: str, answer: Answer, effect: Effect) -> ConnectorError:
        """What an answer with an error status means (external/README.md, outcome of a write)."""
        status, words, trouble = answer.status, self.own_words(answer), self.login_trouble(answer)
        lost = status in (408, 502, 503, 504) or (status >= 500 and words is None)
        code = "unavailable" if status == 429 or status >= 500 else "timeout" if status == 408 else "refused"
        return self.trouble(
            doing,
            f"{self.label} answered {status}" if trouble is None else f"{self.label} answered {status}: {trouble}",
            readable(words or ""),
            code=code,
            permanent=trouble is not None or not (status in PASSING or status > 511),
            unknown=lost and effect is not Effect.READS,
            retry_after_s=self.wait_s(answer),
            status=status,
        )

    def wait_s(self, answer: Answer) -> float | None:
        """How long the system asks to wait."""
        return retry_after_s(answer.headers)

    def trouble(self, doing: str, error: str, reason: str | None = None, **decision: Any) -> ConnectorError:
        """A ConnectorError in the words of push.md 3.1, without secrets. `decision` is what ConnectorError takes."""
        scrubbed = None if reason is None else self._scrub(reason)
        return ConnectorError(failure(self.label, doing, self._scrub(error), scrubbed), **decision)

    def key(self, doing: str, value: Any, path: str, effect: Effect = Effect.READS) -> Any:
        """The value at a dotted path of an answer; a ConnectorError that names the path when there is none."""
        seen = value
        for name in path.split("."):
            seen = seen.get(name) if isinstance(seen, dict) else None
            if seen is None:
                text = f"the answer of {self.label} has no key {path}"
                raise self.trouble(doing, text, code="bad_answer", unknown=effect is Effect.ADDS)
        return seen

    def segment(self, doing: str, text: str) -> str:
        """A text as one segment of a path, which it cannot leave."""
        if not text.strip() or set(text) <= {"."}:
            raise self.trouble(doing, f"{text!r} cannot be part of an address", code="configuration", permanent=True)
        return quote(text, safe="")
