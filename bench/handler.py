"""CPU of a POST handler without database: our kernel against a bare ASGI app, both under the same server."""

from __future__ import annotations

from bench.rig import CASE_BODY, Row, cpu_s, drive, free_port, process

_ROUNDS, _SECONDS = 5, 2.0


def run() -> list[Row]:
    """One row: microseconds of CPU a request."""
    costs: dict[str, list[float]] = {"kernel": [], "bare": []}
    ports = {name: free_port() for name in costs}
    with _serve("kernel", ports["kernel"]) as kernel, _serve("bare", ports["bare"]) as bare:
        pids = {"kernel": kernel.pid, "bare": bare.pid}
        for name in costs:
            drive(ports[name], "POST", "/api/cases", CASE_BODY, seconds=1, user=None)
        for _ in range(_ROUNDS):
            for name, found in costs.items():
                before = cpu_s(pids[name])
                load = drive(ports[name], "POST", "/api/cases", CASE_BODY, seconds=_SECONDS, user=None)
                found.append((cpu_s(pids[name]) - before) / load["requests"] * 1e6)
    ours, floor = sorted(costs["kernel"])[_ROUNDS // 2], sorted(costs["bare"])[_ROUNDS // 2]
    return [Row("POST without database, CPU", f"{ours:.0f} us", f"{floor:.0f} us bare ASGI", ours / floor, "<= 1.6")]


def _serve(name: str, port: int):  # type: ignore[no-untyped-def]
    arguments = ["-m", "uvicorn", f"bench.bare:{name}", "--port", str(port), "--log-level", "error", "--no-access-log"]
    return process([*arguments, "--loop", "uvloop", "--http", "httptools"], port, {})
