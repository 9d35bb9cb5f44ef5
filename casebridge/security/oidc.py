"""OpenID Connect without any I/O: what is sent to a provider, and whether what comes back is to be believed.

Signatures and claims are checked by joserfc; keys and answers come in as values.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that are taken: by keys of the provider alone, never by a secret that we know too."""
LEEWAY_S = 60
TRIP_S = 600
"""How long somebody may take at the provider."""


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The provider, and what its claims mean here. `roles` maps groups to roles of this server."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: Mapping[str, tuple[str, ...]] = {}
    default_roles: tuple[str, ...] = ()
    label: str = "Single sign-on"

    def __repr__(self) -> str:
        return f"OidcSettings({self.issuer!r})"


class Trip(msgspec.Struct, frozen=True):
    """What has to be known again when somebody comes back from the provider; kept sealed in a cookie."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    until: float

    def __repr__(self) -> str:
        return "Trip()"


class Distrust(Exception):
    """What came back is not to be believed; the text is for the log and the person, and holds no token."""


def new_trip(wanted: str, now: datetime) -> Trip:
    """A new one, on the way to a page of ours."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Trip(state, nonce, verifier, wanted, now.timestamp() + TRIP_S)


def authorization_url(endpoint: str, settings: OidcSettings, redirect_uri: str, trip: Trip) -> str:
    """Where to send the browser: the code flow, with PKCE."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(trip.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(dict.fromkeys(("openid", *settings.scopes))),
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def check_return(trip: Trip, query: Mapping[str, str], settings: OidcSettings, now: datetime) -> str:
    """The code of a return from the provider; Distrust when it does not belong to this trip, or brings an error."""
    if now.timestamp() >= trip.until or not secrets.compare_digest(
        query.get("state", "").encode(), trip.state.encode()
    ):
        raise Distrust("the sign-in was begun too long ago, or in another browser")
    if query.get("iss", settings.issuer) != settings.issuer:
        raise Distrust("the answer comes from another provider")
    if "error" in query:
        raise Distrust(f"the provider refused: {query['error'][:100]!r}")
    if not query.get("code"):
        raise Distrust("the provider sent no code")
    return query["code"]


def check_token(token: str, keys: Any, trip: Trip, settings: OidcSettings, now: datetime) -> dict[str, Any]:
    """The claims of an identity token; Distrust unless the provider made it, for us, for this trip, a moment ago.

    Raises LookupError when it is signed with a key that is not among `keys`.
    """
    # Loaded by those alone who use it.
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        known = KeySet.import_key_set(keys)
        decoded = jwt.decode(token, known, algorithms=ALGORITHMS)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        if getattr(error, "error", "") in ("invalid_key_id", "bad_signature"):
            raise LookupError from None
        raise Distrust(f"the identity token cannot be verified: {type(error).__name__}") from None
    claims: dict[str, Any] = decoded.claims
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": settings.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise Distrust(f"the identity token is not for us, or not for now: {type(error).__name__}") from None
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), trip.nonce.encode()):
        raise Distrust("the identity token belongs to another sign-in")
    if claims.get("azp", settings.client_id) != settings.client_id:
        raise Distrust("the identity token was made for another program")
    return claims


def roles_of(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, ...]:
    """The roles of this server that the groups in these claims come to, in the order of the settings."""
    given = claims.get(settings.groups_claim, ())
    groups = {given} if isinstance(given, str) else {each for each in given if isinstance(each, str)}
    mapped = (role for group, roles in settings.roles.items() if group in groups for role in roles)
    return tuple(dict.fromkeys((*mapped, *settings.default_roles)))
