"""An OpenID Connect provider over real HTTP, for tests: strict where ours must be right, lying where it is told to."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "casebridge", "s3cret of the client"


class Provider:
    """Signs everybody in as `person`, without asking. `lie` replaces claims of tokens; `userinfo` is told apart."""

    def __init__(self) -> None:
        self.url = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.shown = [self.key]
        self.person: dict[str, Any] = {"sub": "42", "preferred_username": "grace", "name": "Grace Hopper", "groups": []}
        self.userinfo: dict[str, Any] = {}
        self.lie: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._tell),
            ]
        )

    def new_key(self, kid: str) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
        self.shown.append(self.key)

    async def _describe(self, request: Request) -> Response:
        self.asked.append("description")
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "out"}
        places = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in names.items()}
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **places})

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        assert given["response_type"] == "code"
        assert given["client_id"] == CLIENT
        assert "openid" in given["scope"].split()
        assert given["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = given
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}")

    async def _token(self, request: Request) -> Response:
        form = {key: value[0] for key, value in parse_qs((await request.body()).decode()).items()}
        begun = self.codes.pop(form.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        pair = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        is_right = (
            begun is not None and begun["code_challenge"] == proof and begun["redirect_uri"] == form["redirect_uri"]
        )
        if not is_right or request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert begun is not None
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.url, "aud": CLIENT, "nonce": begun["nonce"], **times, **self.person, **self.lie}
        header = {"alg": "RS256", "kid": self.key.kid}
        claims = {key: value for key, value in claims.items() if value is not None}
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": jwt.encode(header, claims, self.key)}
        )

    async def _keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet(self.shown).as_dict(private=False))

    async def _tell(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer access":
            return JSONResponse({}, 401)
        return JSONResponse({"sub": self.person["sub"], **self.userinfo})
