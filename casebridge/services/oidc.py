"""Single sign-on: the way to the provider and back, over the one outbound door."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
import structlog

from casebridge.connectors.http import Effect
from casebridge.domain.errors import ConnectorError, InvalidInput, Unauthenticated
from casebridge.security.oidc import (
    Distrust,
    OidcSettings,
    Trip,
    authorization_url,
    check_return,
    check_token,
    new_trip,
    roles_of,
)
from casebridge.security.vault import VaultError
from casebridge.services.ground import Ground
from casebridge.services.outsiders import Outsider

DISCOVERY_S, KEYS_S, NEW_KEYS_S = 3600.0, 3600.0, 10.0
_ABOUT = "single sign-on"
_log = structlog.get_logger(__name__)


class NotBelieved(Unauthenticated):
    """A return from the provider lets nobody in; the text says why."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.args = (f"Single sign-on did not work: {why}.",)


async def begin(ground: Ground, settings: OidcSettings, redirect_uri: str, wanted: str) -> tuple[str, str]:
    """Where to send the browser, and what to keep there until it comes back. Raises ConnectorError."""
    trip = new_trip(wanted, ground.now())
    provider = await _provider(ground, settings)
    kept = ground.vault.seal(msgspec.to_builtins(trip), _ABOUT)
    url = authorization_url(provider["authorization_endpoint"], settings, redirect_uri, trip)
    return url, base64.urlsafe_b64encode(kept).decode().rstrip("=")


async def finish(
    ground: Ground, settings: OidcSettings, redirect_uri: str, kept: str, query: Mapping[str, str]
) -> tuple[Outsider, str]:
    """Who came back, and where they wanted to go. NotBelieved when that is not certain; raises ConnectorError."""
    try:
        trip = _trip(ground, kept)
        code = check_return(trip, query, settings, ground.now())
        provider = await _provider(ground, settings)
        tokens = await _tokens(ground, settings, provider, redirect_uri, code, trip)
        claims = await _claims(ground, settings, provider, str(tokens.get("id_token") or ""), trip)
        claims = {**await _more(ground, settings, provider, tokens, claims), **claims}
        return _outsider(settings, claims), trip.wanted
    except Distrust as why:
        _log.warning("single sign-on was refused", reason=str(why))
        raise NotBelieved(str(why)) from None


async def sign_out_url(ground: Ground, settings: OidcSettings, back: str) -> str | None:
    """Where the browser ends its session at the provider; None when the provider has no such place."""
    endpoint = (await _provider(ground, settings)).get("end_session_endpoint")
    if not isinstance(endpoint, str):
        return None
    query = urlencode({"client_id": settings.client_id, "post_logout_redirect_uri": back})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def _trip(ground: Ground, kept: str) -> Trip:
    try:
        envelope = base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4))
        return msgspec.convert(ground.vault.open(envelope, _ABOUT), Trip)
    except (VaultError, ValueError):
        raise Distrust("the sign-in was not begun in this browser") from None


async def _provider(ground: Ground, settings: OidcSettings) -> dict[str, Any]:
    """The provider's description of itself, asked for once an hour."""
    memory, place = ground.outbound.memory, f"oidc {settings.issuer}"
    if (known := memory.get(place)) is not None:
        return dict(known)
    url = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
    answer = await ground.outbound.call("GET", url)
    found = answer.value if answer.is_success else None
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not isinstance(found, dict) or not all(isinstance(found.get(each), str) for each in needed):
        raise ConnectorError(f"{url} does not describe a provider (status {answer.status})", code="bad_answer")
    if found.get("issuer") != settings.issuer:
        raise ConnectorError(f"{url} describes another issuer than oidc_issuer", code="bad_answer")
    scheme = urlsplit(settings.issuer).scheme
    if scheme == "https" and not all(found[each].startswith("https://") for each in needed):
        raise ConnectorError(f"{url} names addresses without TLS", code="bad_answer")
    memory.put(place, found, DISCOVERY_S)
    return found


async def _tokens(
    ground: Ground, settings: OidcSettings, provider: Mapping[str, Any], redirect_uri: str, code: str, trip: Trip
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": trip.verifier,
    }
    credentials: dict[str, str] = {}
    ways = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if settings.client_secret is None:
        form["client_id"] = settings.client_id
    elif "client_secret_basic" in ways:
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
        credentials["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
    answer = await ground.outbound.call(
        "POST", provider["token_endpoint"], form=form, credentials=credentials, effect=Effect.ADDS
    )
    if not answer.is_success or not isinstance(answer.value, dict):
        raise Distrust(f"the provider gave no token for the code (status {answer.status})")
    return dict(answer.value)


async def _claims(
    ground: Ground, settings: OidcSettings, provider: Mapping[str, Any], token: str, trip: Trip
) -> dict[str, Any]:
    """The claims of the token; keys that were exchanged meanwhile are asked for, at most every few seconds."""
    memory, place = ground.outbound.memory, f"oidc keys {settings.issuer}"
    known = memory.get(place)
    if known is not None:
        try:
            return check_token(token, known, trip, settings, ground.now())
        except LookupError:
            if memory.get(f"{place} new"):
                raise Distrust("the identity token is signed with an unknown key") from None
    answer = await ground.outbound.call("GET", provider["jwks_uri"])
    if not answer.is_success or not isinstance(answer.value, dict):
        raise Distrust(f"the provider does not tell its keys (status {answer.status})")
    memory.put(place, answer.value, KEYS_S)
    memory.put(f"{place} new", value=True, ttl_s=NEW_KEYS_S)
    try:
        return check_token(token, answer.value, trip, settings, ground.now())
    except LookupError:
        raise Distrust("the identity token is signed with an unknown key") from None


async def _more(
    ground: Ground,
    settings: OidcSettings,
    provider: Mapping[str, Any],
    tokens: Mapping[str, Any],
    claims: Mapping[str, Any],
) -> dict[str, Any]:
    """Claims that the provider tells only when it is asked; none where the token holds all that is needed."""
    endpoint, access = provider.get("userinfo_endpoint"), tokens.get("access_token")
    is_complete = settings.username_claim in claims and (settings.groups_claim in claims or not settings.roles)
    if is_complete or not isinstance(endpoint, str) or not isinstance(access, str):
        return {}
    answer = await ground.outbound.call("GET", endpoint, credentials={"authorization": f"Bearer {access}"})
    if not answer.is_success or not isinstance(answer.value, dict):
        raise Distrust(f"the provider does not tell who it is (status {answer.status})")
    if answer.value.get("sub") != claims["sub"]:
        raise Distrust("the provider tells of somebody else")
    return dict(answer.value)


def _outsider(settings: OidcSettings, claims: Mapping[str, Any]) -> Outsider:
    username = _text(claims, settings.username_claim)
    if username is None:
        raise Distrust(f"the provider tells no {settings.username_claim}")
    try:
        return Outsider(
            realm=f"oidc {settings.issuer}",
            subject=str(claims["sub"]),
            username=username,
            roles=roles_of(claims, settings),
            full_name=_text(claims, "name"),
            email=_text(claims, "email"),
        )
    except InvalidInput as error:
        raise Distrust(str(error)) from None


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
