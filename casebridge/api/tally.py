"""Requests counted at the least cost: plain numbers of this process, which whoever publishes them takes now and then.

Counting happens within each request and so must cost next to nothing; it knows nothing of how counts are published.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from casebridge.api.routing import LEGACY, Route

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latencies told apart; a last class takes what took longer."""
NO_ROUTE = ("", "none")
"""Method and path under which requests are counted that no route serves: what was asked for is anybody's to choose."""


class Row:
    """What was counted of one route since it was last taken."""

    __slots__ = ("answers", "method", "path", "took", "total_s")

    def __init__(self, method: str, path: str) -> None:
        self.method = method
        self.path = path
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.answers = [0] * 6
        """How many answers, by the first digit of the status."""
        self.took = [0] * (len(BOUNDS_S) + 1)
        """How many of each class of latencies."""
        self.total_s = 0.0


class Tally:
    """Requests by route; the routes in the order in which the server has them."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.rows = [Row(each.method, _shown(each)) for each in routes]
        self.rows.append(Row(*NO_ROUTE))

    def note(self, place: int, status: int, seconds: float) -> None:
        """A request was answered by the route at this place; -1: by none."""
        row = self.rows[place]
        row.answers[status // 100] += 1
        row.took[bisect_left(BOUNDS_S, seconds)] += 1
        row.total_s += seconds


def _shown(route: Route) -> str:
    """The template of a route, with its dialect where it is of the old one alone."""
    return f"/{LEGACY}{route.path}" if route.dialect == LEGACY else route.path
