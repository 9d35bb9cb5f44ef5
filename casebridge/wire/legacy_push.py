"""Pushing in two steps, as 7.11 did (contract dialect-7.10.md 6): sending through a connector, telling the case."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from casebridge.wire.base import Body, Shape
from casebridge.wire.old_push import OldJiraPush, OldPush, OldResilientPush, OldServiceNowPush


class _Sending(Body, tag_field="connector_type"):
    @property
    def type_id(self) -> str:
        """The type of connector these params are for."""
        return str(self.__struct_config__.tag)

    @property
    def asked(self) -> dict[str, Any]:
        """The params of today's `pushToService`."""
        params: OldPush = self.params  # type: ignore[attr-defined]
        return params.to_params(self.type_id)


class SendToServiceNow(_Sending, tag=".servicenow"):
    params: OldServiceNowPush


class SendToJira(_Sending, tag=".jira"):
    params: OldJiraPush


class SendToResilient(_Sending, tag=".resilient"):
    params: OldResilientPush


Sending = SendToServiceNow | SendToJira | SendToResilient


class SentComment(Shape):
    commentId: str
    pushedDate: str


class SentIncident(Shape):
    """What became of the incident; `comments` only when some were sent."""

    id: str
    title: str
    pushedDate: str
    url: str
    comments: list[SentComment] | UnsetType = UNSET


class SendingResult(Shape):
    """What sending through a connector gave; trouble of the external system is a result too."""

    status: Literal["ok", "error"]
    actionId: str
    data: SentIncident | UnsetType = UNSET
    message: str | UnsetType = UNSET
    serviceMessage: str | UnsetType = UNSET


def sent_incident(data: dict[str, Any]) -> SentIncident:
    """The shape of what a `pushToService` gave."""
    comments = [
        SentComment(commentId=each["commentId"], pushedDate=each["pushedDate"]) for each in data.get("comments", ())
    ]
    return SentIncident(
        id=data["id"],
        title=data["title"],
        pushedDate=data["pushedDate"],
        url=data["url"],
        comments=comments or UNSET,
    )


class ToldPush(Body):
    """Body of `POST /7.10/api/cases/{case_id}/_push`: what the client says became of its push."""

    connector_id: str
    connector_name: str
    external_id: str
    external_title: str
    external_url: str
