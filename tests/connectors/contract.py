"""What every connector type promises, whatever system it speaks to.

A test module of a type subclasses `ConnectorContract` and says in a `Kit` how a good connector looks. Nothing here
needs the system itself: each call is answered by a stand-in for the network.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors import registry
from casebridge.connectors.base import ConnectorType, InvalidParams
from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.domain.errors import ConnectorError, InvalidInput

ANYWHERE = AllowedHosts(["*"])
MARKER = "casebridge-5d1f"
PASSING = (408, 425, 429, 500, 502, 503, 504)
LASTING = (400, 401, 403, 404, 405, 409, 410, 413, 415, 422)
LOST = (408, 502, 503, 504)
Handler = Callable[[httpx2.Request], httpx2.Response]


@dataclass(frozen=True)
class Kit:
    """A good connector of a type. `refusal` is an error body as the system words it, `words` what it says."""

    type_: type[ConnectorType]
    config: dict[str, Any]
    secrets: dict[str, Any]
    url_key: str
    incident: dict[str, Any]
    refusal: dict[str, Any]
    words: str
    settings: dict[str, Any] = field(default_factory=dict)
    calls_nothing: frozenset[str] = frozenset()
    """Operations for which this type makes no call of the API."""
    reads_nothing: frozenset[str] = frozenset()
    """Operations of whose answer this type needs nothing, overwrites aside."""
    marks: dict[str, Any] = field(default_factory=dict)
    """What `prepare` adds to the incident."""
    update: Callable[[Any], Awaitable[None]] | None = None
    """The write of an update alone, of a type that reads first."""
    heals: tuple[int, ...] = ()
    """Statuses that this system means to pass."""

    async def updated(self, worker: ConnectorType) -> None:
        """The write of an update."""
        if self.update is not None:
            await self.update(worker)
        else:
            await worker.update("7", worker.check_fields(self.incident), MARKER)

    def at_work(self, handler: Handler, log: CallLog | None = None, **secrets: str) -> ConnectorType:
        """A connector whose network is `handler`."""
        outbound = Outbound(ANYWHERE, transport=httpx2.MockTransport(handler)).view(log)
        return self.type_(self.config, {**self.secrets, **secrets}, outbound, self.settings)

    def answering(self, status: int, body: Any = None, log: CallLog | None = None, **headers: str) -> ConnectorType:
        """A connector that gets the same answer to every call."""
        content = {"json": self.refusal if body is None else body}
        if isinstance(body, str):
            content = {"html": body}
        return self.at_work(lambda request: httpx2.Response(status, headers=headers, **content), log)

    def failing(self, fault: type[Exception]) -> ConnectorType:
        """A connector whose calls all break."""

        def broken(request: httpx2.Request) -> httpx2.Response:
            raise fault("Authorization: Basic c2VjcmV0")

        return self.at_work(broken)


@dataclass(frozen=True)
class Operation:
    """A single call of a push, and what it does over there."""

    name: str
    run: Callable[[ConnectorType, Kit], Awaitable[Any]]
    effect: str

    def __str__(self) -> str:
        return self.name


OPERATIONS = (
    Operation("create", lambda worker, kit: worker.create(worker.check_fields(kit.incident), MARKER), "adds"),
    Operation("update", lambda worker, kit: kit.updated(worker), "overwrites"),
    Operation("add_comment", lambda worker, kit: worker.add_comment("7", "hello"), "adds"),
    Operation("edit_comment", lambda worker, kit: worker.edit_comment("7", "8", "hello"), "overwrites"),
    Operation("read", lambda worker, kit: worker.read("7"), "reads"),
    Operation(
        "find_incidents", lambda worker, kit: worker.find_incidents(MARKER, {**kit.incident, **kit.marks}), "reads"
    ),
    Operation("list_comments", lambda worker, kit: worker.list_comments("7"), "reads"),
    Operation("test", lambda worker, kit: worker.test(), "reads"),
)
WRITES = [each for each in OPERATIONS if each.effect != "reads"]


def can(kit: Kit, operation: Operation) -> bool:
    type_ = kit.type_
    needed = {
        "add_comment": type_.takes_comments,
        "edit_comment": type_.can_edit_comments,
        "find_incidents": type_.can_find_incidents,
        "list_comments": type_.can_list_comments,
    }
    return needed.get(operation.name, True) and operation.name not in kit.calls_nothing


async def fault_of(kit: Kit, operation: Operation, worker: ConnectorType) -> ConnectorError:
    if not can(kit, operation):
        pytest.skip(f"{kit.type_.label} has no {operation.name}")
    with pytest.raises(ConnectorError) as raised:
        await operation.run(worker, kit)
    message = raised.value.message
    assert message.startswith(f"[Action][{kit.type_.label}]: Unable to ")
    assert all(str(each) not in message for each in kit.secrets.values())
    assert "c2VjcmV0" not in message
    return raised.value


operations = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
writes = pytest.mark.parametrize("operation", WRITES, ids=str)


class ConnectorContract:
    """Subclasses give a fixture `kit`."""

    # Declarations

    def test_the_type_is_found_in_its_folder_and_says_what_it_is(self, kit: Kit):
        type_ = kit.type_
        assert registry.get(type_.type_id) is type_
        assert type_.type_id.startswith(".")
        assert type_.label
        assert type_.minimum_license_required in ("basic", "gold", "platinum", "enterprise")
        assert "cases" in type_.supported_feature_ids

    def test_good_config_and_secrets_are_kept_as_they_are(self, kit: Kit):
        config, secrets = kit.type_.validate(kit.config, kit.secrets, ANYWHERE)
        assert config.items() >= kit.config.items()
        assert secrets.items() >= kit.secrets.items()
        assert kit.type_.validate(config, secrets, ANYWHERE) == (config, secrets)

    def test_an_unknown_key_is_refused_by_the_name_of_its_part(self, kit: Kit):
        for part, config, secrets in (
            ("config", {**kit.config, "odd": 1}, kit.secrets),
            ("secrets", kit.config, {**kit.secrets, "odd": 1}),
        ):
            with pytest.raises(InvalidInput, match=rf"{part}\.odd: the connector type {part} is not valid"):
                kit.type_.validate(config, secrets, ANYWHERE)

    def test_a_missing_or_blank_or_mistyped_value_is_refused_by_its_path(self, kit: Kit):
        for part, fields in (("config", kit.type_.config), ("secrets", kit.type_.secrets)):
            given = {"config": kit.config, "secrets": kit.secrets}
            for each in fields:
                without = {name: value for name, value in given[part].items() if name != each.name}
                bad: list[dict[str, Any]] = [
                    {**given[part], each.name: value} for value in ("", " \n", [[]], {"a": " "})
                ]
                for wrong in [*bad, *([without] if each.required else [])]:
                    with pytest.raises(InvalidInput, match=rf"{part}\.{each.name}.*connector type {part}"):
                        kit.type_.validate(**{**given, part: wrong}, allowed=ANYWHERE)

    def test_config_is_complained_about_before_secrets(self, kit: Kit):
        with pytest.raises(InvalidInput, match="connector type config"):
            kit.type_.validate({**kit.config, "odd": 1}, {"odder": 1}, ANYWHERE)

    def test_a_host_that_is_not_allowed_is_refused_by_its_url(self, kit: Kit):
        url = kit.config[kit.url_key]
        with pytest.raises(InvalidInput) as refused:
            kit.type_.validate(kit.config, kit.secrets, AllowedHosts(["elsewhere.example.org"]))
        assert url in str(refused.value)
        assert "not in the allowed hosts" in str(refused.value)
        assert "connector type config" in str(refused.value)

    def test_the_two_old_keys_of_config_pass_only_for_old_clients(self, kit: Kit):
        mapping = [{"source": "title", "target": "summary", "actionType": "overwrite"}]
        old = {"incidentConfiguration": {"mapping": mapping}, "isCaseOwned": True}
        config, _ = kit.type_.validate({**kit.config, **old}, kit.secrets, ANYWHERE, legacy=True)
        assert config.items() >= old.items()
        with pytest.raises(InvalidInput, match="incidentConfiguration"):
            kit.type_.validate({**kit.config, **old}, kit.secrets, ANYWHERE)

    def test_a_complaint_never_repeats_a_secret(self, kit: Kit):
        for name in kit.secrets:
            for wrong in (["t0p-s3cret"], {"t0p": "t0p-s3cret"}, 77712345, True):
                with pytest.raises(InvalidInput) as refused:
                    kit.type_.validate(kit.config, {**kit.secrets, name: wrong}, ANYWHERE)
                assert not any(each in str(refused.value) for each in ("s3cret", "77712345"))

    def test_a_setting_without_a_meaning_is_refused(self, kit: Kit):
        with pytest.raises(InvalidInput, match=r"settings\.odd"):
            kit.type_.check_settings({"odd": "x"})

    # Outcomes

    @operations
    @pytest.mark.parametrize("status", [*PASSING, *LASTING])
    async def test_a_refusal_shows_status_and_words_and_says_whether_waiting_helps(
        self, kit: Kit, operation: Operation, status: int
    ):
        fault = await fault_of(kit, operation, kit.answering(status))
        assert str(status) in fault.message
        assert kit.words in fault.message
        assert fault.status == status
        assert fault.permanent == (status in LASTING and status not in kit.heals)
        assert fault.unknown == (operation.effect != "reads" and status in LOST)

    @operations
    async def test_codes_tell_refusals_from_outages(self, kit: Kit, operation: Operation):
        codes = {
            status: (await fault_of(kit, operation, kit.answering(status))).code for status in (400, 403, 429, 500, 503)
        }
        assert codes == {400: "refused", 403: "refused", 429: "unavailable", 500: "unavailable", 503: "unavailable"}

    @operations
    async def test_an_error_page_of_something_in_between_is_not_shown_and_leaves_a_write_unknown(
        self, kit: Kit, operation: Operation
    ):
        fault = await fault_of(kit, operation, kit.answering(500, "<html><body>nginx-words</body></html>"))
        assert "nginx-words" not in fault.message
        assert fault.unknown == (operation.effect != "reads")

    @operations
    @pytest.mark.parametrize(
        "fault", [httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError]
    )
    async def test_a_call_that_breaks_off_leaves_a_write_unknown(
        self, kit: Kit, operation: Operation, fault: type[Exception]
    ):
        raised = await fault_of(kit, operation, kit.failing(fault))
        assert raised.unknown == (operation.effect != "reads")
        assert not raised.permanent
        assert raised.code == ("timeout" if fault is httpx2.ReadTimeout else "connection")
        assert ("timed out" in raised.message) == (fault is httpx2.ReadTimeout)

    @operations
    async def test_a_call_that_never_left_is_not_done(self, kit: Kit, operation: Operation):
        fault = await fault_of(kit, operation, kit.failing(httpx2.ConnectError))
        assert (fault.unknown, fault.permanent, fault.code) == (False, False, "connection")

    @operations
    async def test_a_login_page_with_status_200_is_a_failure(self, kit: Kit, operation: Operation):
        fault = await fault_of(kit, operation, kit.answering(200, "<html>Please log in, friend</html>"))
        assert "friend" not in fault.message
        assert fault.code == "bad_answer"
        assert fault.unknown == (operation.effect == "adds")

    @operations
    async def test_an_answer_that_is_cut_short_is_a_failure(self, kit: Kit, operation: Operation):
        answer = httpx2.Response(200, content=b'{"id": "1', headers={"content-type": "application/json"})
        fault = await fault_of(kit, operation, kit.at_work(lambda request: answer))
        assert fault.unknown == (operation.effect == "adds")

    @operations
    async def test_an_answer_larger_than_allowed_is_a_failure(self, kit: Kit, operation: Operation):
        fault = await fault_of(kit, operation, kit.answering(200, {"id": "x" * 1_100_000}))
        assert fault.unknown == (operation.effect != "reads")

    @writes
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_write_is_never_sent_on_to_another_address(self, kit: Kit, operation: Operation, status: int):
        log = CallLog()
        worker = kit.answering(status, {}, log, location="https://elsewhere.example.org/?secret=1")
        fault = await fault_of(kit, operation, worker)
        assert len(log.calls) == 1
        assert "secret" not in fault.message
        assert fault.unknown == (status in (302, 303))

    @writes
    async def test_a_write_is_one_call(self, kit: Kit, operation: Operation):
        log = CallLog()
        await fault_of(kit, operation, kit.answering(503, None, log))
        assert len(log.calls) == 1

    @operations
    async def test_the_wait_a_system_asks_for_is_handed_on(self, kit: Kit, operation: Operation):
        fault = await fault_of(kit, operation, kit.answering(429, **{"retry-after": "17"}))
        assert fault.retry_after_s == 17

    @operations
    async def test_an_expected_key_that_is_missing_is_named(self, kit: Kit, operation: Operation):
        if operation.effect == "overwrites" or operation.name in kit.reads_nothing:
            pytest.skip(f"{operation} expects nothing back")
        fault = await fault_of(kit, operation, kit.answering(200, {"something": "else"}))
        assert "has no key" in fault.message
        assert fault.code == "bad_answer"
        assert fault.unknown == (operation.effect == "adds")

    # Secrets

    @operations
    async def test_a_secret_that_a_system_echoes_is_taken_out_in_every_form(self, kit: Kit, operation: Operation):
        one, *others = kit.secrets.values()
        forms = [one, *others, *(base64.b64encode(f"{one}:{each}".encode()).decode() for each in others)]
        assert kit.words in str(kit.refusal)
        said = msgspec.json.encode(kit.refusal).decode().replace(kit.words, "echo " + " and ".join(forms))
        echo = msgspec.json.decode(said)
        fault = await fault_of(kit, operation, kit.answering(400, echo))
        assert "echo [redacted]" in fault.message
        assert not any(each in fault.message for each in forms)

    def test_its_repr_shows_no_secret(self, kit: Kit):
        worker = kit.answering(200)
        shown = f"{worker!r} {worker} {worker._scrub!r} {worker._http!r}"
        assert not any(each in shown for each in kit.secrets.values())

    async def test_nothing_it_logs_holds_a_secret(self, kit: Kit, caplog, capsys):
        caplog.set_level("DEBUG")
        for operation in OPERATIONS:
            if can(kit, operation):
                await fault_of(kit, operation, kit.answering(401))
        written = caplog.text + "".join(capsys.readouterr())
        basic = [base64.b64encode(":".join(kit.secrets.values()).encode()).decode(), "uthorization"]
        assert not any(each in written for each in [*kit.secrets.values(), *basic])

    # Direct runs

    async def test_an_unknown_sub_action_is_refused_by_its_name(self, kit: Kit):
        with pytest.raises(InvalidParams, match=r"params are invalid.*makeCoffee"):
            await kit.answering(200).execute("makeCoffee", {})

    async def test_handshake_is_not_implemented(self, kit: Kit):
        with pytest.raises(InvalidParams, match="not implemented"):
            await kit.answering(200).execute("handshake", {})

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"incident": None},
            {"incident": {}, "odd": 1},
            {"incident": {"odd": 1}},
            {"incident": {"externalId": 7}},
            {"comments": []},
        ],
    )
    async def test_a_direct_push_with_bad_params_sends_nothing(self, kit: Kit, params: dict[str, Any]):
        log = CallLog()
        if isinstance(params.get("incident"), dict):
            params = {**params, "incident": {**kit.incident, **params["incident"]}}
        with pytest.raises(InvalidParams, match="params are invalid"):
            await kit.answering(200, None, log).execute("pushToService", params)
        assert log.calls == []

    def test_fields_of_a_case_that_break_a_rule_are_a_lasting_fault(self, kit: Kit):
        with pytest.raises(ConnectorError, match="not valid") as refused:
            kit.answering(200).check_fields({**kit.incident, "odd": 1})
        assert (refused.value.code, refused.value.permanent, refused.value.unknown) == ("configuration", True, False)

    async def test_a_blank_comment_is_not_sent(self, kit: Kit):
        log = CallLog()
        assert await kit.answering(500, None, log).add_comment("7", " \n") is None
        assert log.calls == []

    async def test_an_id_cannot_lead_to_another_address(self, kit: Kit):
        log = CallLog()
        for hostile in ("..", "../../admin", "7?x=1", "7#x", "", " "):
            with pytest.raises(ConnectorError):
                await kit.answering(500, None, log).read(hostile)
        assert all("admin" not in call.url or "%2F" in call.url for call in log.calls)
        assert len(log.calls) == 3
