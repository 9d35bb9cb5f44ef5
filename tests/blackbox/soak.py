"""A crowd of users, faults and deaths over all connectors at once; then the far side is compared with the ledger.

The draws come from a seed. What several clients do at once is not the same in every run with it, but nearly so.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol

import httpx2

from casebridge.sandbox.server import serving
from tests.blackbox.live import Live
from tests.push.systems import LINKS, Far, Link, app_of, definitions_of, state_of

OPEN = ("queued", "sending", "waiting", "uncertain")
FAULTS = (
    "drop-before", "drop-after", "status:429", "status:500", "status:503", "status:400", "rate-limit:0", "html",
    "html-after", "half-body", "no-id", "hang", "slow-answer:1.3", "delay:0.8",
)  # fmt: skip
EXPECTED = {200, 202, 204, 404, 409, 424}
CLIENTS = 5


class Mortal(Protocol):
    """A process that can be killed and started again."""

    def start(self) -> None: ...
    def kill(self) -> None: ...


class Soak:
    """The stage: servers, everything they push to, and what the users know to have done."""

    def __init__(self, lives: Sequence[Live], others: Sequence[Mortal], seed: int) -> None:
        self.draw = random.Random(seed)
        self.lives = list(lives)
        self.mortals: list[Mortal] = [*lives, *others]
        self.sandboxes: dict[str, Any] = {}
        self.cases: dict[str, str] = {}
        self.texts: dict[str, set[str]] = {}
        self.written: dict[str, str] = {}
        self.odd: list[str] = []
        self.deaths = 0
        self.number = 0

    async def prepare(self, held: AsyncExitStack) -> None:
        """Every simulated system, and every connector."""
        urls = {}
        for member in {each.member for each in LINKS.values()}:
            app = app_of(member)
            self.sandboxes[member] = app.state.sandbox
            urls[member] = await held.enter_async_context(serving(app))
        for link in LINKS.values():
            definition = link.defined(definitions_of(link.member, urls[link.member]))
            await self.lives[0].call("POST", f"/api/actions/connector/{definition.id}", definition.body)

    # What happens

    async def run(self, seconds: float) -> None:
        """Everything at once for a while; then peace, until all that was begun is done."""
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._user(until) for _ in range(CLIENTS)), self._mishaps(until), self._deaths(until))
        for each in self.sandboxes.values():
            each.faults.clear()
        await self._settle()

    async def _user(self, until: float) -> None:
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (3, self._open), (8, self._push), (3, self._queue), (5, self._comment), (3, self._edit), (2, self._rename),
            (2, self._retry), (1, self._cancel),
        ]  # fmt: skip
        weights = [weight for weight, _ in deeds]
        while time.monotonic() < until:
            ((_, deed),) = self.draw.choices(deeds, weights)
            try:
                await deed()
            except httpx2.TransportError:
                await asyncio.sleep(0.1)  # the server was killed under us

    async def _mishaps(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self.draw.uniform(0.02, 0.25))
            member = self.draw.choice(sorted(self.sandboxes))
            faults = self.sandboxes[member].faults
            if len(faults.all) > 6:
                faults.clear()
            if member == "jira" and self.draw.random() < 0.1:
                faults.add("search=search-lag:0.8*3")
            faults.add(f"any={self.draw.choice(FAULTS)}@{self.draw.randrange(4)}")

    async def _deaths(self, until: float) -> None:
        while time.monotonic() < until - 2:
            await asyncio.sleep(self.draw.uniform(1.5, 4))
            victim = self.draw.choice(self.mortals)
            victim.kill()
            self.deaths += 1
            await asyncio.to_thread(victim.start)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """One call; an answer that no user should see is noted."""
        async with self.draw.choice(self.lives).client(30) as client:
            answer = await client.request(method, path, json=body, headers=headers)
        if answer.status_code not in EXPECTED:
            self.odd.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _some_case(self) -> str | None:
        recent = list(self.cases)[-25:]
        return self.draw.choice(recent) if recent else None

    async def _open(self) -> None:
        if len(self.cases) > 150:
            return
        self.number += 1
        link, title = self.draw.choice(list(LINKS.values())), f"Case {self.number}"
        type_ = await self._type(link)
        connector = {"id": link.name, "name": link.name, "type": type_, "fields": link.fields}
        given = {"owner": "cases", "title": title, "description": "seen", "tags": ["soak"], "connector": connector}
        answer = await self.ask("POST", "/api/cases", {**given, "settings": {"syncAlerts": False}})
        if answer.status_code == 200:
            self.cases[answer.json()["id"]] = link.name

    async def _type(self, link: Link) -> str:
        return link.defined(definitions_of(link.member, "http://127.0.0.1")).connector_type_id

    async def _push(self, **headers: str) -> None:
        if (case_id := self._some_case()) is None:
            return
        link = LINKS[self.cases[case_id]]
        if not link.fields and self.draw.random() < 0.1:
            # Another system beside the case's own; one a case, for two ways into one table cannot be told apart. None
            # for a case with fields, which are those of its own connector: another system would refuse them.
            others = [each for each in LINKS.values() if each.member != link.member]
            link = others[hash(case_id) % len(others)]
        await self.ask("POST", f"/api/cases/{case_id}/connector/{link.name}/_push", {}, **headers)

    async def _queue(self) -> None:
        await self._push(prefer="respond-async")

    async def _comment(self) -> None:
        if (case_id := self._some_case()) is None:
            return
        self.number += 1
        text = f"note {self.number}"
        body = {"type": "user", "owner": "cases", "comment": text}
        answer = await self.ask("POST", f"/api/cases/{case_id}/comments", body)
        if answer.status_code == 200:
            (made,) = [each for each in answer.json()["comments"] if each["comment"] == text]
            self.texts[made["id"]] = {text}
            self.written[made["id"]] = case_id

    async def _edit(self) -> None:
        if not self.written:
            return
        id_ = self.draw.choice(list(self.written)[-40:])
        path = f"/api/cases/{self.written[id_]}/comments"
        found = await self.ask("GET", f"{path}/{id_}")
        if found.status_code != 200:
            return
        self.number += 1
        text = f"note {self.number}, edited"
        self.texts[id_].add(text)
        body = {"id": id_, "version": found.json()["version"], "type": "user", "owner": "cases", "comment": text}
        await self.ask("PATCH", path, body)

    async def _rename(self) -> None:
        if (case_id := self._some_case()) is None:
            return
        found = await self.ask("GET", f"/api/cases/{case_id}")
        self.number += 1
        if found.status_code == 200:
            change = {"id": case_id, "version": found.json()["version"], "title": f"Case {self.number}, renamed"}
            await self.ask("PATCH", "/api/cases", {"cases": [change]})

    async def _retry(self) -> None:
        await self._steer("_retry", list(LINKS), ("failed", "uncertain", "waiting"))

    async def _cancel(self) -> None:
        # Where nobody can look, withdrawing means that a person has looked: there is no such person here.
        await self._steer("_cancel", [each.name for each in LINKS.values() if each.can_look], OPEN)

    async def _steer(self, deed: str, connectors: Sequence[str], states: Sequence[str]) -> None:
        wanted = "&".join(f"state={each}" for each in states)
        found = await self.ask("GET", f"/api/casebridge/deliveries?{wanted}&perPage=20")
        fitting = [each for each in found.json().get("deliveries", ()) if each["connector_id"] in connectors]
        if fitting:
            await self.ask("POST", f"/api/casebridge/deliveries/{self.draw.choice(fitting)['id']}/{deed}")

    # Peace

    async def _settle(self) -> None:
        """Push every pair once more by hand, as often as it takes, and wait until nothing is open."""
        gate = asyncio.Semaphore(6)

        async def push(case_id: str, connector: str) -> None:
            async with gate:
                for _ in range(8):
                    answer = await self.ask("POST", f"/api/cases/{case_id}/connector/{connector}/_push", {})
                    if answer.status_code == 200:
                        return
                    await asyncio.sleep(0.3)
                self.odd.append(f"{connector} {case_id} could not be pushed in peace: {answer.text[:300]}")

        await asyncio.gather(*(push(*pair) for pair in {self._pair(each) for each in await self.ledger()}))
        for _ in range(100):
            if not [each for each in await self.ledger() if each["state"] in OPEN]:
                return
            await asyncio.sleep(0.2)

    @staticmethod
    def _pair(delivery: dict[str, Any]) -> tuple[str, str]:
        return delivery["case_id"], delivery["connector_id"]

    async def ledger(self) -> list[dict[str, Any]]:
        """Every delivery, newest first."""
        found: list[dict[str, Any]] = []
        for page in range(1, 100):
            some = (await self.ask("GET", f"/api/casebridge/deliveries?perPage=100&page={page}")).json()
            found += some["deliveries"]
            if len(some["deliveries"]) < 100:
                break
        return found

    async def compare(self) -> list[str]:
        """Whatever differs between what users did, the ledger, the cases, and the far side."""
        ledger = await self.ledger()
        pairs = {self._pair(each) for each in ledger}
        told = [*self.odd, *(f"{each['id']} is still {each['state']}" for each in ledger if each["state"] in OPEN)]
        far = {member: state_of(sandbox) for member, sandbox in self.sandboxes.items()}
        claimed: set[tuple[str, str]] = set()
        for case_id, connector in sorted(pairs):
            link = LINKS[connector]
            mine = [each for each in ledger if self._pair(each) == (case_id, connector)]
            ids = {each["external_id"] for each in mine if each["state"] == "delivered"}
            records = [each for each in link.read(far[link.member]) if each.id in ids]
            claimed |= {(link.member, each.id) for each in records}
            if len(ids) != 1 or len(records) != 1:
                told.append(f"{connector} {case_id}: delivered as {ids}, of which {len(records)} are there")
                continue
            told += [f"{connector} {case_id}: {each}" for each in await self._differences(case_id, records[0])]
        for link in LINKS.values():
            for each in link.read(far[link.member]):
                if (link.member, each.id) not in claimed:
                    told.append(f"{link.name}: record {each.id} ({each.title}) belongs to nobody")
        return told

    async def _differences(self, case_id: str, record: Far) -> list[str]:
        case = (await self.ask("GET", f"/api/cases/{case_id}?includeComments=true")).json()
        told = [] if record.title == case["title"] else [f"is called {record.title}, not {case['title']}"]
        present = {each["id"]: each["comment"] for each in case["comments"]}
        lost = [id_ for id_, where in self.written.items() if where == case_id and id_ not in present]
        told += [f"comment {id_} was taken and is gone" for id_ in lost]
        for text in set(record.comments):
            if record.comments.count(text) > 1:
                told.append(f"{text!r} is there {record.comments.count(text)} times")
        told += [f"{text!r} is not there" for text in present.values() if text not in record.comments]
        known = {text for id_, text in present.items()} | {t for id_ in present for t in self.texts.get(id_, ())}
        return told + [f"{text!r} is nobody's" for text in record.comments if text not in known]
