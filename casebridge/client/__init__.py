"""A small client of the Cases API: each call described once, with a thin sender behind it."""

from casebridge.client.calls import Call
from casebridge.client.errors import ApiError, ClientError, Unreachable
from casebridge.client.sync import Client, Exchange

__all__ = ["ApiError", "Call", "Client", "ClientError", "Exchange", "Unreachable"]
