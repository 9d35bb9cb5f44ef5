"""Two ASGI apps for the same POST without a database: bare, and through our kernel.

The bare one does what any must: read the body, decode it into the same types, encode an answer of the same size.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.rig import CASE
from casebridge.api.dispatch import api_app
from casebridge.api.routing import Call, Route
from casebridge.domain.case import Case, open_case
from casebridge.domain.user import User
from casebridge.wire.cases import CaseShape, CreateCase, case_shape

_new = msgspec.convert(CASE, CreateCase).to_domain()
_case: Case = open_case(
    _new,
    (),
    id_="5d1f0c6e-2f2f-4f0b-9a8e-7b9f0a1c2d3e",
    space="default",
    by=User("a", None, None),
    at=datetime.now(UTC),
).case
_answer = case_shape(_case)
_decoder = msgspec.json.Decoder(CreateCase)
_encoder = msgspec.json.Encoder()


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The floor."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body:
        _decoder.decode(body)
    content = _encoder.encode(_answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _create(call: Call) -> CaseShape:
    return _answer


kernel = api_app(
    None,  # type: ignore[arg-type]
    [
        Route(
            "POST", "/api/cases", _create,
            name="create", summary="", tag="bench", body=CreateCase, answer=CaseShape, credentials="none",
        )
    ],
)  # fmt: skip
