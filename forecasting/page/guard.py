"""Around every answer: who may ask, by which names, and what a browser may do with it."""

import base64
import binascii
import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
OPEN = ("/health", "/health/live")
"""Paths that answer without a password: they tell monitors that something is wrong, and little else."""


class Hardened:
    """Adds the headers that keep a browser from doing anything but showing the page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, hardened)


class BasicAuth:
    """HTTP basic authentication for all but the paths that are open."""

    def __init__(self, app: ASGIApp, user: str, password: str) -> None:
        self.app, self.expected = app, f"{user}:{password}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or self._knows(Headers(scope=scope).get("authorization", "")):
            await self.app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            "a user and a password are needed\n", 401, {"WWW-Authenticate": 'Basic realm="fortnight", charset="UTF-8"'}
        )
        await refusal(scope, receive, send)

    def _knows(self, given: str) -> bool:
        scheme, _, secret = given.partition(" ")
        try:
            told = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(told, self.expected) and scheme.lower() == "basic"
