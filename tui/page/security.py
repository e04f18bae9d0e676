"""Who may use the page: whoever knows its token, from a page of its own on this very address.

Other users of this host can connect to 127.0.0.1, and so can any web page that the person has open:
by a name that leads there (DNS rebinding), from another port, or by a form.
"""

import hmac
import html
import secrets
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.formatting import printable
from tui.process.logs import log_of_this_process

MAX_BODY = 64 * 1024
"""Bytes that a browser may send."""
_MAX_BROWSERS = 64
"""Browsers that have exchanged the token for a cookie; the oldest must do so again."""
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_OWN_PAGES = ("same-origin", "none")
"""What browsers say of requests from the page itself, or from an address that was typed."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
BEARER = "bearer"
"""The browser of a request that came with the token itself: the app's, or a script's."""


class Guard:
    """Lets requests through to an app that may be answered, and says of others why not."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._cookie = f"voicecoach-{port}"
        self._browsers: dict[str, None] = {}
        """The values of their cookies, oldest first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; `scope["browser"]` names where it came from."""
        if scope["type"] != "http":
            raise ValueError(f"the page has no {scope['type']}")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """The answer to a request that the app need not see; None where it is to answer."""
        headers = request.headers
        if (forged := _forged(headers)) is not None:
            return refusal(request, 403, forged)
        token = request.query_params.get("token")
        if token is not None and request.url.path == "/" and request.method in ("GET", "HEAD"):
            return self._exchange(request, token)
        if headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
            return refusal(request, 403, "Another web page asked for this; nothing was done.")
        browser = self._browser(request)
        if browser is None:
            return refusal(
                request,
                401,
                "This browser is not signed in: open the address that `voicecoach listen` prints, "
                "or that the key l shows.",
            )
        if not headers.get("content-length", "0").isdecimal() or (
            int(headers.get("content-length", "0")) > MAX_BODY
        ):
            return refusal(request, 413, f"Too large (maximum {MAX_BODY:,} bytes).")
        request.scope["browser"] = browser
        return None

    def _exchange(self, request: Request, token: str) -> Response:
        """Give a browser that knows the token a cookie instead of it."""
        if not self._is_token(token):
            return refusal(
                request,
                403,
                "The token in this address is wrong or out of date: open the address that "
                "`voicecoach listen` prints now, or that the key l shows.",
            )
        browser = secrets.token_hex(16)
        self._browsers[browser] = None
        while len(self._browsers) > _MAX_BROWSERS:
            del self._browsers[next(iter(self._browsers))]
        answer: Response = RedirectResponse("/", 303)
        if request.headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
            # After a redirect the browser would still send no cookie: the link is in another page,
            # a terminal in a browser, say.
            answer = HTMLResponse("", headers={"Refresh": "0; url=/"})
        answer.set_cookie(self._cookie, browser, path="/", httponly=True, samesite="strict")
        return answer

    def _browser(self, request: Request) -> str | None:
        """The browser that a request came from; None where it may not be answered."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return BEARER
        cookie = request.cookies.get(self._cookie, "").encode()
        known = [one for one in self._browsers if hmac.compare_digest(one.encode(), cookie)]
        return known[0] if known else None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token)


def _forged(headers: Headers) -> str | None:
    """Why the headers cannot come from the page itself; None where they can."""
    hosts = headers.getlist("host")
    host = hosts[0].lower() if len(hosts) == 1 else ""
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "80")
    if (name or host) not in _HOSTS or not (port.isdecimal() or not name):
        return "This page is at 127.0.0.1 and localhost only; open it there."
    if any(origin.lower() != f"http://{host}" for origin in headers.getlist("origin")):
        return "Another web page asked for this; nothing was done."
    return None


def refusal(request: Request, status: int, sentence: str) -> Response:
    """Say why a request is not answered, to a person or to a script."""
    # What is left of a body that nobody wants is not received.
    endless = status in (408, 413) or "transfer-encoding" in request.headers
    headers = {"Connection": "close"} if endless else None
    sentence = printable(sentence)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": sentence}, status, headers)
    return HTMLResponse(_PAGE.format(html.escape(sentence)), status, headers)


def error_of(request: Request, error: Any) -> Response:  # noqa: ANN401 (starlette's HTTPException)
    """Say what starlette or a route found wrong with a request."""
    sentence = _SENTENCES.get(error.detail, error.detail)
    return refusal(request, error.status_code, sentence)


def unexpected(request: Request, error: Exception) -> Response:
    """Say that a route failed; the log says how."""
    log = printable(str(log_of_this_process()))
    return refusal(request, 500, f"The page failed ({type(error).__name__}); see {log}.")


_SENTENCES = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "This address does not take such a request.",
}
"""For what starlette says by itself."""
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width">'
    "<title>voicecoach</title><p>{}</p></html>"
)
