"""What happened to cases: figures of now, charts of a span of time, and the same as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from starlette.responses import Response

from casebridge.domain.errors import InvalidInput
from casebridge.domain.report import Span, check_span
from casebridge.domain.space import OWNERS
from casebridge.security.privileges import allowed, permitted_owners
from casebridge.services import connectors, reports
from casebridge.services.reports import Report
from casebridge.storage.reports import SAMPLE
from casebridge.web import charts, people, words
from casebridge.web.csv import line
from casebridge.web.routing import Page, Visit

PATH = "/app/dashboard"
PRESETS = {7: "7 days", 30: "30 days", 90: "90 days", 365: "A year"}
TIMES = {
    "time_to_acknowledge_s": "To acknowledge",
    "time_to_investigate_s": "To investigate",
    "time_to_resolve_s": "To resolve",
}


class Row(msgspec.Struct, frozen=True):
    """A line of a chart: its name, how many, how long its bar is in per cent, and where it leads."""

    name: str
    count: int
    share: float
    kind: str = ""
    address: str = ""


def _zone(visit: Visit) -> ZoneInfo:
    try:
        return ZoneInfo(unquote(visit.request.cookies.get("casebridge_zone", "")) or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def read_span(visit: Visit) -> tuple[Span, int]:
    """The span of an address, whole days of the visitor's calendar; and the preset it is, 0 if it is none."""
    zone = _zone(visit)
    today = visit.ground.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    query = visit.query
    if query.one("from") or query.one("to"):
        end = _day("to", query.one("to"), zone, today) + timedelta(days=1)
        start = _day("from", query.one("from"), zone, end - timedelta(days=30))
        return check_span(start, end), 0
    days = query.one("days", "30")
    if days not in map(str, PRESETS):
        raise InvalidInput("days", f"expected one of {', '.join(map(str, PRESETS))}, given {days[:20]!r}.")
    return check_span(today - timedelta(days=int(days) - 1), today + timedelta(days=1)), int(days)


def _day(name: str, given: str, zone: ZoneInfo, otherwise: datetime) -> datetime:
    if not given:
        return otherwise
    try:
        day = datetime.strptime(given[:20], "%Y-%m-%d")
    except ValueError:
        raise InvalidInput(name, f"expected a day such as 2026-05-17, given {given[:40]!r}.") from None
    if not 1970 <= day.year <= 9000:
        raise InvalidInput(name, "expected a year from 1970 to 9000.")
    return day.replace(tzinfo=zone)


async def _report(visit: Visit) -> tuple[Report, Span, int]:
    span, preset = read_span(visit)
    owners = visit.query.every("owner")
    if unknown := [each for each in owners if each not in OWNERS]:
        raise InvalidInput("owner", f"expected some of {', '.join(OWNERS)}, given {unknown[0][:40]!r}.")
    return await reports.dashboard(visit.ground, visit.asking, span, owners or None), span, preset


async def _show(visit: Visit) -> Response:
    report, span, preset = await _report(visit)
    steps = [_said(each) for each in span.steps]
    names = await _connector_names(visit)
    return visit.render(
        "dashboard.html",
        report=report,
        span=span,
        last_day=span.end - timedelta(days=1),
        preset=preset,
        presets=PRESETS,
        owners=permitted_owners(visit.asking.actor, "getCase", visit.asking.space),
        owner=visit.query.one("owner"),
        steps=steps,
        chart=charts.over_time(steps, [("opened", "opened", report.opened), ("done", "closed", report.closed)]),
        unit={1: "day", 7: "week"}.get(span.step_days, "four weeks"),
        groups=await _groups(visit, report, span),
        times=[(TIMES[name], each) for name, each in report.times.items()],
        time_shares=charts.shares([each.p90_s for each in report.times.values()]),
        median_shares=_median_shares(report),
        outcomes=_outcomes(report, names),
        sample=SAMPLE,
    )


def _said(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _median_shares(report: Report) -> list[float]:
    most = max((each.p90_s or 0 for each in report.times.values()), default=0)
    return [round(100 * (each.median_s or 0) / most, 2) if most else 0.0 for each in report.times.values()]


async def _groups(visit: Visit, report: Report, span: Span) -> list[tuple[str, list[Row]]]:
    """Heading and rows of each chart of groups."""
    uids = [uid for uid, _ in report.groups["assignee"] if uid]
    known = await people.load(visit, uids)
    days = {"from": f"{span.start:%Y-%m-%d}", "to": f"{span.end - timedelta(days=1):%Y-%m-%d}"}
    made = []
    for name, heading, key in (
        ("severity", "Severity", "severity"),
        ("category", "Category", "category"),
        ("owner", "Owner", "owner"),
        ("assignee", "Assignee", "assignees"),
    ):
        found = report.groups[name]
        rows = []
        for (value, count), share in zip(found, charts.shares([count for _, count in found]), strict=True):
            said = _word(name, value, known)
            query = visit.query.but(days=None, from_=days["from"], to=days["to"], **{key: value})
            rows.append(
                Row(said, count, share, value or "" if name == "severity" else "", "" if value is None else query)
            )
        made.append((heading, rows))
    return made


def _word(name: str, value: str | None, known: people.People) -> str:
    if value is None:
        return "None"
    if name == "severity":
        return words.SEVERITY[value]
    if name == "owner":
        return words.OWNER.get(value, value)
    return known.name(value) if name == "assignee" else value


async def _connector_names(visit: Visit) -> dict[str, str]:
    if not allowed(visit.asking.actor, "useConnectors", None, visit.asking.space):
        return {}
    return {each.id: each.name for each in await connectors.list_all(visit.ground, visit.asking)}


def _outcomes(report: Report, names: dict[str, str]) -> list[tuple[str, str, dict[str, int], float | None]]:
    """Connector id and name, deliveries per state, and the per cent delivered of those that ended."""
    made = []
    for id_, states in report.outcomes.items():
        ended = states.get("delivered", 0) + states.get("failed", 0) + states.get("uncertain", 0)
        share = 100 * states.get("delivered", 0) / ended if ended else None
        made.append((id_, names.get(id_, id_), dict(states), share))
    return sorted(made, key=lambda each: each[1].casefold())


async def _export(visit: Visit) -> Response:
    report, span, _ = await _report(visit)
    content = "".join(_lines(report, span, await _connector_names(visit)))
    name = f"dashboard-{span.start:%Y-%m-%d}-to-{span.end - timedelta(days=1):%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _lines(report: Report, span: Span, names: dict[str, str]) -> Iterator[str]:
    yield line(["figure", "of", "value"])
    for name, value in (
        ("open", report.now.open),
        ("in progress", report.now.in_progress),
        ("closed", report.now.closed),
    ):
        yield line(["now", name, value])
    for step, opened, closed in zip(span.steps, report.opened, report.closed, strict=True):
        yield line(["opened", f"{step:%Y-%m-%d}", opened])
        yield line(["closed", f"{step:%Y-%m-%d}", closed])
    for group, found in report.groups.items():
        for named, count in found:
            yield line([group, named, count])
    for name, each in report.times.items():
        yield line([f"{name}, median", f"{each.count} cases", each.median_s])
        yield line([f"{name}, 90th percentile", f"{each.count} cases", each.p90_s])
    for id_, states in report.outcomes.items():
        for state, count in states.items():
            yield line([f"deliveries, {state}", names.get(id_, id_), count])
    for case in report.oldest:
        yield line(["oldest open", case.title, f"{case.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"])


PAGES = (
    Page("GET", PATH, _show, nav="Dashboard", icon="chart", key="h", needs="getCase"),
    Page("GET", PATH + "/export.csv", _export),
)
