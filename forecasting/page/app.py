"""The web application: three pages' worth of routes, all of them GET."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from forecasting.errors import StoreError
from forecasting.links import ui_url
from forecasting.page.content import Content
from forecasting.page.guard import BasicAuth, Hardened
from forecasting.page.metrics import metrics
from forecasting.page.rendering import Render, renderer
from forecasting.settings import Settings
from forecasting.store.reader import Reader

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
STATIC = {"page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
FAULTS = {
    404: ("There is no such page", "the address names no series and no page", "Start from the list of all series"),
    405: ("This page is read-only", "it answers GET and HEAD only", "Change things with the command fortnight"),
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Links:
    """Where people open MLflow and Prefect: an address, or a port of the host that the page was asked from."""

    mlflow: str | int | None = None
    prefect: str | int | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Links":
        """As set; without that, the servers that run beside the page."""
        serve = settings.serve
        return cls(
            ui_url(settings) or serve.mlflow_port, serve.prefect_ui_url or (None if serve.prefect_url else serve.prefect_port)
        )

    def asked_from(self, request: Request) -> dict[str, str | None]:
        return {"mlflow": _address(self.mlflow, request), "prefect": _address(self.prefect, request)}


class Page:
    """What answers each path."""

    def __init__(self, content: Content, now: Callable[[], datetime], render: Render, links: Links) -> None:
        self.content, self.now, self.render, self.links = content, now, render, links

    def overview(self, request: Request) -> Response:
        overview = self.content.overview(self.now())
        counts = sorted(Counter(card.judged.level for card in overview.cards).items(), reverse=True)
        return self._html("overview.html", request, overview=overview, counts=counts)

    def series(self, request: Request) -> Response:
        detail = self.content.detail(request.path_params["series_id"], self.now())
        if detail is None:
            raise HTTPException(404)
        return self._html("series.html", request, detail=detail, leads=self.content.settings.drift.leads)

    def health(self, request: Request) -> Response:
        """200 if every series, or each asked for with ?series=, has a fresh forecast of the next fourteen days; else 503."""
        wanted = set(request.query_params.getlist("series"))
        try:
            with self.content.reader.open() as published:
                judged = self.content.judged(published, self.now())
        except StoreError as error:
            return JSONResponse({"healthy": False, "problem": error.problem}, 503)
        told = {
            each.standing.series_id: {"healthy": each.unfit is None, "tier": each.standing.tier, "problem": each.unfit}
            for each in judged
            if not wanted or each.standing.series_id in wanted
        }
        told |= {name: {"healthy": False, "tier": None, "problem": "there is no such series"} for name in wanted - set(told)}
        healthy = bool(told) and all(each["healthy"] for each in told.values())
        problem = None if healthy else "some series lack a fresh forecast" if told else "there are no series yet"
        return JSONResponse({"healthy": healthy, "problem": problem, "series": told}, 200 if healthy else 503)

    def live(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"live": True})

    def metrics(self, request: Request) -> Response:
        body, kind = metrics(self.content, self.now(), request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": kind})

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        body = resources.files("forecasting.page").joinpath("static", name).read_bytes()
        return Response(body, headers={"Content-Type": STATIC[name], "Cache-Control": "private, max-age=300"})

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title, problem, remedy = FAULTS.get(error.status_code, (error.detail, error.detail, "Start from the list of all series"))
        page = self._html("fault.html", request, title=title, problem=problem, remedy=remedy)
        page.status_code = error.status_code
        page.headers.update(error.headers or {})
        return page

    async def unreadable(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, StoreError)
        log.warning("the page cannot read the database: %s", error.problem)
        title, remedy = "The database cannot be read", "Nothing is lost by that here: load the page again once the database is back"
        page = self._html("fault.html", request, title=title, problem=error.problem, remedy=remedy)
        page.status_code = 503
        page.headers["Retry-After"] = "10"
        return page

    def _html(self, name: str, request: Request, **words: object) -> Response:
        at_home = request.url.path == "/"
        return HTMLResponse(self.render(name, at_home=at_home, **self.links.asked_from(request), **words))


def create_app(
    reader: Reader,
    settings: Settings,
    now: Callable[[], datetime],
    *,
    links: Links | None = None,
) -> Starlette:
    """The page of a database.

    With a password in the settings, all but `/health` asks for it and the user; without one, only names of this machine are
    answered, so that no web site can read the page through somebody's browser.

    Args:
        reader: a login of role fortnight_reader suffices.
        now: the present moment (UTC), asked anew for each answer.
    """
    serve = settings.serve
    render = renderer(now)
    page = Page(Content(reader, settings), now, render, links or Links.of(settings))
    routes = [
        Route("/", page.overview),
        Route("/series/{series_id}", page.series),
        Route("/metrics", page.metrics),
        Route("/health", page.health),
        Route("/health/live", page.live),
        Route("/static/{name}", page.static),
    ]
    gate = (
        Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)
        if serve.password is None
        else Middleware(BasicAuth, user=serve.user, password=serve.password.get_secret_value())
    )
    return Starlette(
        routes=routes,
        middleware=[Middleware(Hardened), gate, Middleware(GZipMiddleware)],
        exception_handlers={HTTPException: page.refused, StoreError: page.unreadable, 500: _broken},
    )


async def _broken(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the server logs it
    return PlainTextResponse("something went wrong here; see the log of 'fortnight serve page'\n", 500)


def _address(given: str | int | None, request: Request) -> str | None:
    if isinstance(given, str):
        return given.rstrip("/") if given.startswith(("http://", "https://")) else None
    host = request.url.hostname
    if given is None or not host:
        return None
    return f"http://{f'[{host}]' if ':' in host else host}:{given}"
