"""Cases, comments and activity against a model in memory: after any sequence of calls both read the same.

The model knows the contract (cases.md, attachments.md 3, activity.md 3) and nothing of the program. Every sequence has
a space of its own on one server.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
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

from casebridge.wire.base import time_text
from tests.api.calls import CASES, JIRA, NO_CONNECTOR, Clock, a_body
from tests.api.living import Living, living

ADMIN = {"username": "admin", "full_name": "Admin", "email": None}
TAGS = ("a", "b", "c ", " b")
UIDS = ("u_1", "u_2", "")
FIELDS = (
    {"key": "region", "label": "Region", "type": "text", "required": False},
    {"key": "vip", "label": "VIP", "type": "toggle", "required": True, "defaultValue": False},
)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(
    sqlite_template: Path, password_hash: str, tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> Iterator[Living]:
    path = tmp_path_factory.mktemp("model") / "casebridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    with living(str(path), password_hash, now=clock) as opened:
        yield opened


class Kept:
    """A case as the model keeps it. `case` has the keys of the wire, but comments; versions are the server's word."""

    def __init__(self, answer: Json, body: Json, now: str, number: int) -> None:
        self.case: Json = {
            "id": answer["id"],
            "version": answer["version"],
            "owner": body["owner"],
            "title": body["title"].strip(),
            "description": body["description"].strip(),
            "tags": [tag.strip() for tag in body["tags"]],
            "severity": body["severity"],
            "status": "open",
            "category": body["category"] and body["category"].strip(),
            "assignees": distinct(body["assignees"]),
            "customFields": filled(body["customFields"]),
            "settings": body["settings"],
            "connector": normal(body["connector"]),
            "external_service": None,
            "observables": [],
            "total_observables": 0,
            "totalComment": 0,
            "totalAlerts": 0,
            "totalEvents": 0,
            "duration": None,
            "created_at": now,
            "created_by": ADMIN,
            "updated_at": None,
            "updated_by": None,
            "closed_at": None,
            "closed_by": None,
            "incremental_id": number,
            "in_progress_at": None,
            "time_to_acknowledge": None,
            "time_to_investigate": None,
            "time_to_resolve": None,
        }
        self.comments: list[Json] = []
        self.stale = answer["version"]
        initial = ("title", "description", "tags", "owner", "status", "severity", "assignees", "settings", "category",
                   "customFields", "connector")  # fmt: skip
        self.actions: list[Json] = [self.action("create_case", "create", {key: self.case[key] for key in initial}, now)]

    def action(self, type_: str, action: str, payload: Json, now: str, comment_id: str | None = None) -> Json:
        """A record, without what the server alone knows."""
        return {
            "type": type_,
            "action": action,
            "payload": json.loads(json.dumps(payload)),
            "created_at": now,
            "created_by": ADMIN,
            "owner": self.case["owner"],
            "comment_id": comment_id,
        }

    def touch(self, version: str, now: str) -> None:
        """Every write of the case gives it a new version."""
        assert version != self.case["version"]
        self.stale = self.case["version"]
        self.case |= {"version": version, "updated_at": now, "updated_by": ADMIN}
        self.case["totalComment"] = len(self.comments)

    def change(self, changes: Json, now: str) -> bool:
        """Apply a PATCH; whether anything really changed."""
        real = {key: value for key, value in changes.items() if self.differs(key, value)}
        for key, value in real.items():
            old = self.case[key]
            new = stored(key, value)
            self.case[key] = new
            if key in ("tags", "assignees"):
                for action, gone_from, there in (("add", old, new), ("delete", new, old)):
                    if items := distinct([each for each in there if each not in gone_from]):
                        self.actions.append(self.action(key, action, {key: items}, now))
            elif key == "customFields":
                before = {each["key"]: each["value"] for each in old}
                self.actions += [
                    self.action(key, "update", {key: [each]}, now)
                    for each in new
                    if (
                        each["value"] is not None if each["key"] not in before else each["value"] != before[each["key"]]
                    )
                ]
            else:
                self.actions.append(self.action(key, "update", {key: new}, now))
            if key == "status":
                self.move(new, now)
        return bool(real)

    def differs(self, key: str, value: Any) -> bool:
        """Lists are compared as sets, all of it before trimming."""
        if key == "assignees":
            value = [each for each in value if each["uid"]]
        if key in ("tags", "assignees", "customFields"):
            return as_set(value) != as_set(self.case[key])
        return bool((normal(value) if key == "connector" else value) != self.case[key])

    def move(self, status: str, now: str) -> None:
        """Closing data and times."""
        closed = status == "closed"
        since = self.case["in_progress_at"]
        age = seconds(self.case["created_at"], now)
        self.case |= {
            "closed_at": now if closed else None,
            "closed_by": ADMIN if closed else None,
            "duration": age if closed else None,
            "time_to_acknowledge": None,
            "time_to_investigate": None,
            "time_to_resolve": None,
        }
        if status == "in-progress":
            self.case |= {"in_progress_at": since or now, "time_to_acknowledge": age}
        if closed:
            self.case |= {
                "time_to_acknowledge": seconds(self.case["created_at"], since) if since else age,
                "time_to_investigate": seconds(since, now) if since else 0,
                "time_to_resolve": age,
            }


def distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if value not in kept and value != {"uid": ""}:
            kept.append(value)
    return kept


def as_set(values: list[Any]) -> set[str]:
    return {json.dumps(value, sort_keys=True) for value in values}


def normal(connector: Json) -> Json:
    return NO_CONNECTOR if connector["type"] == ".none" else connector


def filled(sent: list[Json]) -> list[Json]:
    keys = {each["key"] for each in sent}
    rest = [
        {"key": each["key"], "type": each["type"], "value": each.get("defaultValue")}
        for each in FIELDS
        if each["key"] not in keys
    ]
    return [*sent, *rest]


def stored(key: str, value: Any) -> Any:
    """A sent value as it is kept."""
    if key == "tags":
        return [tag.strip() for tag in value]
    if key == "assignees":
        return distinct(value)
    if key == "customFields":
        return filled(value)
    if key == "connector":
        return normal(value)
    return value.strip() if key in ("title", "description", "category") and value is not None else value


def seconds(start: str, end: str) -> int:
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() // 1)


REGION = st.sampled_from([None, "EMEA", " x "]).map(lambda value: {"key": "region", "type": "text", "value": value})
VIP = st.booleans().map(lambda value: {"key": "vip", "type": "toggle", "value": value})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from(["One", "Two", " One ", "Two\n"]),
    "description": st.sampled_from(["Text", "Other", "Text "]),
    "tags": st.lists(st.sampled_from(TAGS), max_size=3),
    "severity": st.sampled_from(["low", "high"]),
    "category": st.sampled_from([None, "Cat", " Cat"]),
    "assignees": st.lists(st.sampled_from(UIDS).map(lambda uid: {"uid": uid}), max_size=3),
    "settings": st.booleans().map(lambda on: {"syncAlerts": on}),
    "connector": st.sampled_from([NO_CONNECTOR, NO_CONNECTOR | {"id": "x"}, JIRA, JIRA | {"fields": None}]),
    "customFields": st.one_of(
        st.just([]), st.tuples(REGION).map(list), st.tuples(REGION, VIP).map(list), st.tuples(VIP, REGION).map(list)
    ),
}
STATUS = st.sampled_from(["open", "in-progress", "closed"])
CHANGES = st.fixed_dictionaries({}, optional={**VALUES, "status": STATUS}).flatmap(
    # Activity follows the order of the keys in the request.
    lambda changes: st.permutations(sorted(changes)).map(lambda keys: {key: changes[key] for key in keys})
)
PLACES = st.integers(0, 3)
TEXTS = st.sampled_from(["hello", " hello ", "bye"])


class Desk(RuleBasedStateMachine):
    """People at work on a few cases of one space."""

    server: Living
    client: Any
    clock: Clock
    spaces = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Kept] = []
        self.opened = 0

    @initialize()
    def begin(self) -> None:
        """A new space with a configuration."""
        id_ = f"space-{next(self.spaces)}"
        self.space = f"/s/{id_}"
        self.ask("POST", "", 200, {"id": id_, "name": id_}, base="/api/spaces/space")
        body = {"connector": NO_CONNECTOR, "closure_type": "close-by-user", "owner": "cases", "customFields": FIELDS}
        self.ask("POST", "/configure", 200, body)

    def ask(self, method: str, path: str, status: int, body: Any = None, *, base: str = "", **params: Any) -> Any:
        """The answer, which must have that status."""
        address = base or f"{self.space}{CASES}{path}"
        answer = self.server.run(self.client.request(method, address, json=body, params=params))
        assert answer.status_code == status, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @property
    def now(self) -> str:
        return time_text(self.clock.at)

    def at(self, place: int) -> Kept:
        """One of the cases there are."""
        return self.kept[place % len(self.kept)]

    @rule(given=st.fixed_dictionaries(VALUES))
    def open(self, given: Json) -> None:
        if len(self.kept) < 4:
            body = a_body(**given)
            answer = self.ask("POST", "", 200, body)
            self.opened += 1
            self.kept.append(Kept(answer, body, self.now, self.opened))
            assert answer == {**self.kept[-1].case, "comments": []}

    @rule(ms=st.sampled_from([1, 999, 60_000]))
    def wait(self, ms: int) -> None:
        self.clock.forward(ms / 1000)

    @precondition(lambda self: self.kept)
    @rule(places=st.lists(PLACES, min_size=1, max_size=3), changes=st.lists(CHANGES, min_size=3, max_size=3))
    def change(self, places: list[int], changes: list[Json]) -> None:
        chosen = list(dict.fromkeys(self.at(place).case["id"] for place in places))
        kept = [next(each for each in self.kept if each.case["id"] == id_) for id_ in chosen]
        pairs = list(zip(kept, changes, strict=False))
        entries = [{"id": each.case["id"], "version": each.case["version"], **wanted} for each, wanted in pairs]
        really = [each for each, wanted in pairs if each.change(wanted, self.now)]
        answer = self.ask("PATCH", "", 200 if really else 406, {"cases": entries})
        if really:
            for each, after in zip(really, answer, strict=True):
                each.touch(after["version"], self.now)
                assert after == {**each.case, "comments": []}

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, changes=CHANGES, other=PLACES)
    def change_too_late(self, place: int, changes: Json, other: int) -> None:
        kept, beside = self.at(place), self.at(other)
        if kept.stale != kept.case["version"]:
            entries = [{"id": kept.case["id"], "version": kept.stale, **changes}]
            if beside is not kept:
                entries.insert(0, {"id": beside.case["id"], "version": beside.case["version"], "title": "Lost"})
            self.ask("PATCH", "", 409, {"cases": entries})
            self.ask("PATCH", "", 404, {"cases": [*entries, {"id": "nope", "version": "x", "title": "Lost"}]})

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, text=TEXTS)
    def comment(self, place: int, text: str) -> None:
        kept = self.at(place)
        payload = {"type": "user", "owner": "cases", "comment": text}
        answer = self.ask("POST", f"/{kept.case['id']}/comments", 200, payload)
        added = answer["comments"][-1]
        kept.comments.append(
            {
                **payload,
                "id": added["id"],
                "version": added["version"],
                "created_at": self.now,
                "created_by": ADMIN,
                "updated_at": None,
                "updated_by": None,
                "pushed_at": None,
                "pushed_by": None,
            }
        )
        kept.actions.append(kept.action("comment", "create", {"comment": payload}, self.now, added["id"]))
        kept.touch(answer["version"], self.now)
        assert answer == {**kept.case, "comments": kept.comments}

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, which=PLACES, text=TEXTS)
    def edit_comment(self, place: int, which: int, text: str) -> None:
        kept = self.at(place)
        if kept.comments:
            comment = kept.comments[which % len(kept.comments)]
            payload = {"type": "user", "owner": "cases", "comment": text}
            body = {**payload, "id": comment["id"], "version": comment["version"]}
            answer = self.ask("PATCH", f"/{kept.case['id']}/comments", 200, body)
            version = next(each["version"] for each in answer["comments"] if each["id"] == comment["id"])
            assert version != comment["version"]
            comment |= {"comment": text, "version": version, "updated_at": self.now, "updated_by": ADMIN}
            kept.actions.append(kept.action("comment", "update", {"comment": payload}, self.now, comment["id"]))
            kept.touch(answer["version"], self.now)
            assert answer == {**kept.case, "comments": kept.comments}
            self.ask("PATCH", f"/{kept.case['id']}/comments", 409, body)

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, which=PLACES)
    def delete_comment(self, place: int, which: int) -> None:
        kept = self.at(place)
        if kept.comments:
            comment = kept.comments[which % len(kept.comments)]
            self.ask("DELETE", f"/{kept.case['id']}/comments/{comment['id']}", 204)
            self.forget(kept, [comment])

    @precondition(lambda self: self.kept)
    @rule(place=PLACES)
    def delete_comments(self, place: int) -> None:
        kept = self.at(place)
        self.ask("DELETE", f"/{kept.case['id']}/comments", 204 if kept.comments else 404)
        if kept.comments:
            self.forget(kept, list(kept.comments))

    def forget(self, kept: Kept, comments: list[Json]) -> None:
        """Comments that were deleted, which says nothing of the case's new version."""
        for each in comments:
            kept.comments.remove(each)
            payload = {key: each[key] for key in ("type", "owner", "comment")}
            kept.actions.append(kept.action("comment", "delete", {"comment": payload}, self.now, each["id"]))
        kept.touch(self.ask("GET", f"/{kept.case['id']}", 200)["version"], self.now)

    @precondition(lambda self: self.kept)
    @rule(places=st.lists(PLACES, min_size=1, max_size=2), unknown=st.booleans())
    def delete(self, places: list[int], unknown: bool) -> None:
        ids = [self.at(place).case["id"] for place in places]
        if unknown:
            self.ask("DELETE", "", 404, ids=json.dumps([*ids, "nope"]))
        else:
            self.ask("DELETE", "", 204, ids=json.dumps(ids))
            self.kept = [each for each in self.kept if each.case["id"] not in ids]
            for id_ in ids:
                self.ask("GET", f"/{id_}", 404)
                self.ask("GET", f"/{id_}/user_actions/_find", 404)

    @invariant()
    def every_case_reads_as_the_model(self) -> None:
        if not hasattr(self, "space"):
            return
        for kept in self.kept:
            path = f"/{kept.case['id']}"
            assert self.ask("GET", path, 200, includeComments="true") == {**kept.case, "comments": kept.comments}
            page = self.ask("GET", f"{path}/user_actions/_find", 200, perPage=100)
            assert page["total"] == len(kept.actions)
            for record, wanted in zip(page["userActions"], kept.actions, strict=False):
                assert {key: value for key, value in record.items() if key not in ("id", "version")} == wanted

    @invariant()
    def every_list_agrees_with_the_model(self) -> None:
        if not hasattr(self, "space"):
            return
        page = self.ask("GET", "/_find", 200)
        counts = [sum(kept.case["status"] == each for kept in self.kept) for each in ("open", "in-progress", "closed")]
        assert page["cases"] == [{**kept.case, "comments": []} for kept in self.kept]
        assert page["total"] == len(self.kept)
        keys = ("count_open_cases", "count_in_progress_cases", "count_closed_cases")
        assert [page[key] for key in keys] == counts
        assert list(self.ask("GET", "/status", 200).values()) == counts
        assert self.ask("GET", "/tags", 200) == sorted({tag for kept in self.kept for tag in kept.case["tags"]})
        assert self.ask("GET", "/reporters", 200) == ([ADMIN] if self.kept else [])
        for tag in ("a", "b"):
            tagged = self.ask("GET", "/_find", 200, tags=tag)
            assert tagged["total"] == sum(tag in kept.case["tags"] for kept in self.kept)


def test_after_any_sequence_of_calls_the_server_agrees_with_the_model(
    server: Living, connect: Any, clock: Clock
) -> None:
    Desk.server, Desk.clock, Desk.client = server, clock, connect(server.app)

    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
