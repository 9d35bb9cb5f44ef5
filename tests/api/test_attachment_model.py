"""Attachments of every kind, files and activity against a model in memory, on both databases.

The model knows the contract (attachments.md, activity.md) and nothing of the program: after any sequence of calls, on
any of the routes, both read the same. Every sequence has a space of its own on one server.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.api.calls import a_body
from tests.api.living import Living, living

Json = dict[str, Any]
ENTRY = {"name": "a", "extension": "txt", "mimeType": "text/plain", "created": "2024-05-17T08:00:00.000Z"}
KEPT = ("id", "version", "created_at", "created_by", "updated_at", "updated_by", "pushed_at", "pushed_by")
ALERT_IDS = ("a", "b", "c", "d")
FILE_IDS = ("f-1", "f-2")


def reference(type_: str, id_: str, metadata: Any, storage: Json) -> Json:
    return {
        "type": "externalReference",
        "owner": "cases",
        "externalReferenceAttachmentTypeId": type_,
        "externalReferenceId": id_,
        "externalReferenceMetadata": metadata,
        "externalReferenceStorage": storage,
    }


def file_reference(id_: str, entry: Json = ENTRY) -> Json:
    return reference(".files", id_, {"files": [entry]}, {"type": "savedObject", "soType": "file"})


def an_alert(ids: list[str]) -> Json:
    rule_ = {"id": "r", "name": None}
    return {"type": "alert", "owner": "cases", "alertId": ids, "index": [f"i-{id_}" for id_ in ids], "rule": rule_}


COMMENTS = st.sampled_from(["hello", " hello ", "bye"]).map(
    lambda text: {"type": "user", "owner": "cases", "comment": text}
)
ALERTS = st.one_of(
    st.lists(st.sampled_from(ALERT_IDS), min_size=1, max_size=3, unique=True).map(an_alert),
    st.sampled_from(ALERT_IDS).map(lambda id_: {**an_alert([id_]), "alertId": id_, "index": f"i-{id_}"}),
)
ACTIONS = st.sampled_from(["isolate", "unisolate", "other"]).map(
    lambda what: {"type": "actions", "owner": "cases", "comment": "c", "actions": {"type": what, "targets": []}}
)
REFERENCES = st.sampled_from([None, {"n": 1}]).map(
    lambda metadata: reference("indicator", "ioc", metadata, {"type": "elasticSearchDoc"})
)
FILES = st.sampled_from(FILE_IDS).map(file_reference)
STATES = st.sampled_from([{}, {"rows": [1, None]}]).map(
    lambda state: {
        "type": "persistableState",
        "owner": "cases",
        "persistableStateAttachmentTypeId": ".lens",
        "persistableStateAttachmentState": state,
    }
)
PAYLOADS = st.one_of(COMMENTS, ALERTS, ACTIONS, REFERENCES, FILES, STATES)
PLACES = st.integers(0, 9)


def listed(payload: Json) -> Json:
    """An attachment as it is stored: alerts are lists."""
    if payload["type"] != "alert" or isinstance(payload["alertId"], list):
        return payload
    return {**payload, "alertId": [payload["alertId"]], "index": [payload["index"]]}


def unified(payload: Json) -> Json:
    """The same attachment as the unified routes show it."""
    kind = payload["type"]
    if kind == "user":
        return {"type": "comment", "owner": "cases", "data": {"content": payload["comment"]}}
    if kind == "alert":
        metadata = {"index": payload["index"], "rule": payload["rule"]}
        return {"type": "stack.alert", "owner": "cases", "attachmentId": payload["alertId"], "metadata": metadata}
    if kind == "actions":
        data = {"comment": payload["comment"], "actions": payload["actions"]}
        return {"type": "actions", "owner": "cases", "data": data}
    if kind == "persistableState":
        return {"type": ".lens", "owner": "cases", "data": payload["persistableStateAttachmentState"]}
    return {
        "type": payload["externalReferenceAttachmentTypeId"],
        "owner": "cases",
        "attachmentId": payload["externalReferenceId"],
        "metadata": payload["externalReferenceMetadata"],
    }


class Kept:
    """A case as the model keeps it: attachments by id in order, records without the first, ids of stored files."""

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.status = "open"
        self.attachments: dict[str, Json] = {}
        self.records: list[Json] = []
        self.files: list[str] = []

    def record(self, action: str, payload: Json, id_: str) -> None:
        self.records.append(
            {"type": "comment", "action": action, "payload": {"comment": payload}, "comment_id": id_, "owner": "cases"}
        )

    def alert_ids(self) -> list[str]:
        return [id_ for each in self.attachments.values() if each["type"] == "alert" for id_ in each["alertId"]]

    def without_repeats(self, payloads: list[Json]) -> list[Json | None]:
        seen, kept = set(self.alert_ids()), []
        for each in map(listed, payloads):
            if each["type"] == "alert":
                pairs = [pair for pair in zip(each["alertId"], each["index"], strict=True) if pair[0] not in seen]
                seen.update(id_ for id_, _ in pairs)
                each = {**each, "alertId": [id_ for id_, _ in pairs], "index": [index for _, index in pairs]}
            kept.append(None if each.get("alertId") == [] else each)
        return kept

    def forget(self, ids: list[str]) -> None:
        for id_ in ids:
            self.record("delete", self.attachments.pop(id_), id_)


class Desk(RuleBasedStateMachine):
    """People at work on the attachments of a few cases of one space."""

    server: Living
    client: Any
    spaces = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Kept] = []
        self.space = ""

    def ask(self, method: str, path: str, status: int, body: Any = None, **more: Any) -> Any:
        """The answer, which must have that status."""
        sent = {"json": body} if body is not None else {}
        answer = self.server.run(self.client.request(method, self.space + path, **sent, **more))
        assert answer.status_code == status, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def at(self, place: int) -> Kept:
        return self.kept[place % len(self.kept)]

    @initialize()
    def begin(self) -> None:
        """A new space with a case in it."""
        id_ = f"space-{next(self.spaces)}"
        self.ask("POST", "/api/spaces/space", 200, {"id": id_, "name": id_})
        self.space = f"/s/{id_}"
        self.open()

    @rule()
    def open(self) -> None:
        if len(self.kept) < 3:
            self.kept.append(Kept(self.ask("POST", "/api/cases", 200, a_body())["id"]))

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, status=st.sampled_from(["open", "closed"]))
    def move(self, place: int, status: str) -> None:
        kept = self.at(place)
        if kept.status != status:
            version = self.ask("GET", f"/api/cases/{kept.id}", 200)["version"]
            entry = {"id": kept.id, "version": version, "status": status}
            self.ask("PATCH", "/api/cases", 200, {"cases": [entry]})
            kept.status = status
            kept.records.append(
                {"type": "status", "action": "update", "payload": {"status": status}, "comment_id": None,
                 "owner": "cases"}
            )  # fmt: skip

    def is_refused(self, kept: Kept, payloads: list[Json]) -> bool:
        return kept.status == "closed" and any(each["type"] == "alert" for each in payloads)

    def took(self, kept: Kept, answer: Json, sent: list[Json], *, as_sent: bool) -> None:
        """What was added, as the answer calls it."""
        pairs = [(each, new) for each, new in zip(sent, kept.without_repeats(sent), strict=True) if new is not None]
        assert len(answer["comments"]) == len(kept.attachments) + len(pairs)
        for (raw, new), shape in zip(pairs, answer["comments"][len(kept.attachments) :], strict=True):
            kept.attachments[shape["id"]] = new
            kept.record("create", raw if as_sent else new, shape["id"])
        assert answer["totalComment"] == len(kept.attachments)
        assert answer["totalAlerts"] == len(kept.alert_ids())

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, payload=PAYLOADS)
    def add(self, place: int, payload: Json) -> None:
        kept = self.at(place)
        refused = self.is_refused(kept, [payload])
        answer = self.ask("POST", f"/api/cases/{kept.id}/comments", 400 if refused else 200, payload)
        if not refused:
            self.took(kept, answer, [payload], as_sent=False)

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, payloads=st.lists(PAYLOADS, max_size=4))
    def add_many(self, place: int, payloads: list[Json]) -> None:
        kept = self.at(place)
        refused = self.is_refused(kept, payloads)
        path = f"/internal/cases/{kept.id}/attachments/_bulk_create"
        answer = self.ask("POST", path, 400 if refused else 200, payloads)
        if not refused:
            self.took(kept, answer, payloads, as_sent=True)

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, payload=PAYLOADS)
    def add_unified(self, place: int, payload: Json) -> None:
        kept = self.at(place)
        path, body = f"/api/cases/{kept.id}/attachments", unified(listed(payload))
        if self.is_refused(kept, [payload]):
            self.ask("POST", path, 400, body)
            return
        (new,) = kept.without_repeats([payload])
        answer = self.ask("POST", path, 200 if new is None else 201, body)
        if new is not None:
            kept.attachments[answer["id"]] = new
            kept.record("create", new, answer["id"])
        else:
            assert set(listed(payload)["alertId"]) & set(kept.attachments[answer["id"]]["alertId"])

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, which=PLACES, data=st.data(), through_put=st.booleans())
    def edit(self, place: int, which: int, data: Any, through_put: bool) -> None:
        kept = self.at(place)
        if not kept.attachments:
            return
        id_ = list(kept.attachments)[which % len(kept.attachments)]
        before = kept.attachments[id_]
        new = data.draw(PAYLOADS.filter(lambda each: unified(listed(each))["type"] == unified(before)["type"]))
        path = f"/api/cases/{kept.id}/attachments/{id_}"
        version = self.ask("GET", path, 200)["version"]
        for status in (200, 409):
            if through_put:
                self.ask("PUT", path, status, {**unified(listed(new)), "version": version})
            else:
                body = {**new, "id": id_, "version": version}
                self.ask("PATCH", f"/api/cases/{kept.id}/comments", status, body)
        kept.attachments[id_] = listed(new)
        kept.record("update", listed(new), id_)

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, which=PLACES, route=st.sampled_from(["comments", "attachments"]))
    def delete(self, place: int, which: int, route: str) -> None:
        kept = self.at(place)
        if kept.attachments:
            id_ = list(kept.attachments)[which % len(kept.attachments)]
            self.ask("DELETE", f"/api/cases/{kept.id}/{route}/{id_}", 204)
            self.ask("DELETE", f"/api/cases/{kept.id}/{route}/{id_}", 404)
            kept.forget([id_])

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, route=st.sampled_from(["comments", "attachments"]))
    def delete_all(self, place: int, route: str) -> None:
        kept = self.at(place)
        self.ask("DELETE", f"/api/cases/{kept.id}/{route}", 204 if kept.attachments else 404)
        kept.forget(list(kept.attachments))

    @precondition(lambda self: self.kept)
    @rule(place=PLACES)
    def upload(self, place: int) -> None:
        kept = self.at(place)
        answer = self.ask("POST", f"/api/cases/{kept.id}/files", 200, files={"file": ("a.txt", b"text", "x/y")})
        made = answer["comments"][-1]
        (entry,) = made["externalReferenceMetadata"]["files"]
        assert {**entry, "created": ENTRY["created"]} == ENTRY
        kept.files.append(made["externalReferenceId"])
        kept.attachments[made["id"]] = file_reference(kept.files[-1], entry)
        kept.record("create", kept.attachments[made["id"]], made["id"])

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, whose=PLACES, which=PLACES, beside=st.sampled_from([[], ["f-1"], ["nope"]]))
    def delete_files(self, place: int, whose: int, which: int, beside: list[str]) -> None:
        kept, other = self.at(place), self.at(whose)
        ids = beside + ([other.files[which % len(other.files)]] if other.files else [])
        if not ids:
            return
        foreign = kept is not other and bool(other.files)
        path = f"/internal/cases/{kept.id}/attachments/files/_bulk_delete"
        self.ask("POST", path, 400 if foreign else 204, {"ids": ids})
        if not foreign:
            kept.files = [each for each in kept.files if each not in ids]
            kept.forget([key for key, each in kept.attachments.items() if each.get("externalReferenceId") in ids
                         and each["externalReferenceAttachmentTypeId"] == ".files"])  # fmt: skip

    @precondition(lambda self: len(self.kept) > 1)
    @rule(place=PLACES)
    def delete_case(self, place: int) -> None:
        kept = self.at(place)
        self.ask("DELETE", "/api/cases", 204, params={"ids": json.dumps([kept.id])})
        self.kept.remove(kept)
        self.ask("GET", f"/api/cases/{kept.id}/comments", 404)
        for id_ in kept.files:
            self.ask("GET", f"/api/files/files/casesFilesCases/{id_}", 404)

    @invariant()
    def attachments_read_as_the_model(self) -> None:
        for kept in self.kept:
            shapes = self.ask("GET", f"/api/cases/{kept.id}/comments", 200)
            assert {each["id"]: bare(each) for each in shapes} == kept.attachments
            assert [each["id"] for each in shapes] == list(kept.attachments)
            first, *rest = self.ask("GET", f"/api/cases/{kept.id}/user_actions", 200)
            keys = ("type", "action", "payload", "comment_id", "owner")
            assert first["type"] == "create_case"
            assert [{key: each[key] for key in keys} for each in rest] == kept.records

    def teardown(self) -> None:
        """What other routes say of the same is asked at the end of a sequence."""
        self.unified_and_totals_read_as_the_model()
        self.several_at_once_read_as_the_model()
        self.alerts_and_files_read_as_the_model()
        self.activity_reads_as_the_model()

    def unified_and_totals_read_as_the_model(self) -> None:
        for kept in self.kept:
            page = self.ask("GET", f"/api/cases/{kept.id}/attachments", 200, params={"perPage": 100})
            wanted = [unified(each) for each in kept.attachments.values()]
            assert ([bare(each) for each in page["data"]], page["total"]) == (wanted[:100], len(wanted))
            case = self.ask("GET", f"/api/cases/{kept.id}", 200)
            users = sum(each["type"] == "user" for each in kept.attachments.values())
            assert (case["totalComment"], case["totalAlerts"]) == (users, len(set(kept.alert_ids())))

    def several_at_once_read_as_the_model(self) -> None:
        everywhere = [(kept, id_) for kept in self.kept for id_ in kept.attachments]
        for kept in self.kept:
            ids = ["nope", *[id_ for _, id_ in everywhere][:99]]
            found = self.ask("POST", f"/internal/cases/{kept.id}/attachments/_bulk_get", 200, {"ids": ids})
            assert [each["id"] for each in found["attachments"]] == [id_ for id_ in ids if id_ in kept.attachments]
            wrong = {each["attachmentId"]: each["status"] for each in found["errors"]}
            assert wrong == {id_: 404 if id_ == "nope" else 400 for id_ in ids if id_ not in kept.attachments}

    def alerts_and_files_read_as_the_model(self) -> None:
        for kept in self.kept:
            alerts = self.ask("GET", f"/api/cases/{kept.id}/alerts", 200)
            assert [(each["id"], each["index"]) for each in alerts] == [(id_, f"i-{id_}") for id_ in kept.alert_ids()]
            wanted = {"meta": {"caseIds": [kept.id]}}
            files = self.ask("POST", "/api/files/files/casesFilesCases/list", 200, wanted)
            assert [each["id"] for each in files["files"]] == kept.files
        if self.space:
            holding = [kept.id for kept in self.kept if "a" in kept.alert_ids()]
            assert [each["id"] for each in self.ask("GET", "/api/cases/alerts/a", 200)] == holding

    def activity_reads_as_the_model(self) -> None:
        for kept in self.kept:
            stats = self.ask("GET", f"/internal/cases/{kept.id}/user_actions/_stats", 200)
            assert stats == counted(kept.records)
            for type_, number in pseudo_types(kept.records).items():
                path = f"/internal/cases/{kept.id}/user_actions/_find"
                page = self.ask("GET", path, 200, params={"types": type_, "perPage": 100})
                assert page["total"] == number, type_
                shown = {each["comment_id"] for each in page["userActions"] if each["type"] == "comment"}
                assert {each["id"] for each in page["latestAttachments"]} == shown & kept.attachments.keys()


def bare(shape: Json) -> Json:
    """An attachment without what the server keeps of it."""
    return {key: value for key, value in shape.items() if key not in KEPT}


def kind_of(record: Json) -> str:
    """The type of the attachment a record is about; empty for others."""
    return str(record["payload"].get("comment", {}).get("type", ""))


def counted(records: list[Json]) -> Json:
    """What `_stats` says, the record of the creation of the case included."""
    users = [each for each in records if kind_of(each) == "user"]
    gone = {each["comment_id"] for each in users if each["action"] == "delete"}
    deletions = sum(each["action"] == "delete" for each in records)
    return {
        "total": len(records) + 1,
        "total_comments": len(users),
        "total_other_actions": len(records) + 1 - len(users),
        "total_deletions": deletions,
        "total_comment_deletions": len(gone),
        "total_comment_creations": sum(each["action"] == "create" for each in users),
        "total_hidden_comment_updates": sum(
            each["action"] == "update" and each["comment_id"] in gone for each in users
        ),
        "total_other_action_deletions": deletions - len(gone),
    }


def pseudo_types(records: list[Json]) -> dict[str, int]:
    """How many records each pseudo type matches, that of the creation of the case included."""
    kinds = [kind_of(each) for each in records]
    return {
        "action": 1 + sum(each != "user" for each in kinds),
        "user": sum(kind_of(each) == "user" and each["action"] == "create" for each in records),
        "alert": kinds.count("alert"),
        "attachment": kinds.count("persistableState") + kinds.count("externalReference"),
    }


@pytest.fixture
def server(database_target: str, password_hash: str) -> Iterator[Living]:
    with living(database_target, password_hash) as opened:
        yield opened


def test_after_any_sequence_of_calls_attachments_and_activity_agree_with_the_model(
    server: Living, connect: Any, database_target: str
) -> None:
    Desk.server, Desk.client = server, connect(server.app)
    is_fast = not database_target.startswith("postgresql")

    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=25 if is_fast else 10,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
