"""The HTTP session of all feeds: urllib3 retries, CacheControl keeps what can be asked for conditionally."""

import hashlib
import logging
import re
import ssl
import weakref
from collections.abc import Collection
from contextlib import suppress
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cachecontrol import CacheControlAdapter, CacheController
from cachecontrol.caches import FileCache
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse, Retry, exceptions

from forecasting.folders import private_folder
from forecasting.settings import WebSettings
from forecasting.sources.web_guard import GuardedAdapter, bare, plain_address, require_address, require_redirect

logger = logging.getLogger(__name__)

USER_AGENT = f"fortnight/{version('fortnight')}"
PASSING = (429, 500, 502, 503, 504)
"""HTTP statuses of what may pass by itself."""
LONGEST_ANNOUNCED_S = 10**8
LARGEST_CACHED_BYTES, CACHE_BYTES = 2**25, 2**29
"""Of one answer as it travels, and of all of them on disk."""
BLOCK_BYTES = 4096
HARMLESS_VARY = {"", "accept", "accept-encoding", "origin", "user-agent"}
TALKATIVE = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry", "cachecontrol.controller")
"""Loggers that tell whole URLs, in which some feeds want a key."""


class Downgraded(requests.RequestException):
    """A redirect from https to http."""


class Session(requests.Session):
    """Default time-outs, retries, conditional requests, and redirects that neither leak nor hang nor lead astray (`web_guard`).

    Where all tries met a status of PASSING, the last answer is handed back.
    """

    def __init__(self, settings: WebSettings, cache: Path | None) -> None:
        super().__init__()
        for name in TALKATIVE:
            logging.getLogger(name).addFilter(_without_queries)
        self.timeout_s = settings.timeout_s
        self.patience = Patience(
            total=settings.tries - 1,
            allowed_methods={"GET"},
            status_forcelist=PASSING,
            backoff_factor=settings.backoff_s / 2,  # urllib3 doubles it before the second retry
            backoff_jitter=settings.backoff_s / 2,
            backoff_max=settings.max_wait_s,
            retry_after_max=LONGEST_ANNOUNCED_S,
            raise_on_status=False,
        )
        self.cache = None if cache is None else Cache(cache)
        self.redirect_hosts = settings.redirect_hosts
        adapter = GuardedAdapter(settings.private_hosts, max_retries=self.patience)
        if self.cache is not None:
            adapter = CachingAdapter(
                settings.private_hosts, cache=self.cache, controller_class=Controller, max_retries=self.patience
            )
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)
        self.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})

    def forget(self, answer: requests.Response) -> None:
        """Take an answer that proved bad out of the cache, or the feed would confirm it for ever."""
        if self.cache is not None:
            self.cache.delete(Controller.cache_url(answer.request.url or answer.url))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.timeout_s
        host = bare(urlsplit(request.url or "").hostname or "")
        if plain_address(host) is not None:  # a proxy would not look at it
            require_address(host, host, ())
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            resp.raw.close()  # or all of its body would be read, however long it is
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Headers may hold keys, and conditions are about the first address: none of them go elsewhere."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        before, after = response.request.url or "", prepared_request.url or ""
        if before.startswith("https:") and not after.startswith("https:"):
            raise Downgraded
        require_redirect(before, after, self.redirect_hosts)
        is_elsewhere = self.should_strip_auth(before, after)  # type: ignore[no-untyped-call]
        for name in list(prepared_request.headers):
            is_condition = name.lower() in ("if-none-match", "if-modified-since")
            if is_condition or (is_elsewhere and name not in self.headers):
                del prepared_request.headers[name]


class CachingAdapter(GuardedAdapter, CacheControlAdapter):
    """What can be asked for conditionally is kept, wherever requests may go."""


class Patience(Retry):
    """Gives up at once on a Retry-After longer than `backoff_max`, and on certificates, which do not mend by themselves."""

    def get_retry_after(self, response: Any) -> float | None:
        """In seconds; None where the header is missing or says nothing that can be understood."""
        try:
            return super().get_retry_after(response)
        except (exceptions.InvalidHeader, ValueError, OverflowError):
            return None

    def increment(
        self, method: Any = None, url: Any = None, response: Any = None, error: Any = None, *rest: Any, **more: Any
    ) -> Any:
        is_untrusted = isinstance(error, exceptions.SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError)
        if is_untrusted or (response is not None and (self.get_retry_after(response) or 0) > self.backoff_max):
            raise exceptions.MaxRetryError(more.get("_pool"), url, error)  # type: ignore[arg-type]
        patience = super().increment(method, url, response, error, *rest, **more)
        if response is not None:
            response.close()  # or all of its body would be read, however long it is
        return patience


class Controller(CacheController):
    """Asks the feed every time, and keeps every answer that can be asked for conditionally."""

    def cached_request(self, request: requests.PreparedRequest) -> Any:  # noqa: ARG002
        return False

    def cache_response(
        self,
        request: requests.PreparedRequest,
        response_or_ref: HTTPResponse | weakref.ReferenceType[HTTPResponse],
        body: bytes | None = None,
        status_codes: Collection[int] | None = None,  # noqa: ARG002
    ) -> None:
        response = response_or_ref() if isinstance(response_or_ref, weakref.ReferenceType) else response_or_ref
        if response is None or body is None or response.status != HTTPStatus.OK or len(body) > LARGEST_CACHED_BYTES:
            return
        headers = CaseInsensitiveDict(response.headers)
        vary = {name.strip().lower() for name in headers.get("Vary", "").split(",")}
        length = headers.get("Content-Length", "")
        if (
            ("ETag" in headers or "Last-Modified" in headers)
            and "no-store" not in headers.get("Cache-Control", "").lower()
            and vary <= HARMLESS_VARY  # the library keeps request headers that are named here, and one may hold a key
            and (not length.isdigit() or int(length) == len(body))
        ):
            self.cache.set(self.cache_url(request.url or ""), self.serializer.dumps(request, response, body))


class Cache(FileCache):
    """Files with a digest each, the least recently used of which are dropped when it is opened.

    A cache that fails is no reason to fail: it is then as good as empty.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with suppress(OSError):
            private_folder(folder.parent, folder.name)
            room = CACHE_BYTES
            files = [(path.stat(), path) for path in folder.rglob("*") if path.is_file()]
            for stat, path in sorted(files, key=lambda file: file[0].st_mtime_ns, reverse=True):
                room -= max(stat.st_size, BLOCK_BYTES)
                if room < 0:
                    path.unlink(missing_ok=True)

    def get(self, key: str) -> bytes | None:
        kept = b""
        with suppress(OSError):
            kept = super().get(key) or b""
        digest, value = kept[:32], kept[32:]
        return value if digest == hashlib.sha256(value).digest() else None

    def set(self, key: str, value: bytes, expires: Any = None) -> None:
        try:
            super().set(key, hashlib.sha256(value).digest() + value, expires)
        except OSError as error:
            logger.warning("an answer could not be cached in %s (%s)", self.directory, error.strerror)


def _without_queries(record: logging.LogRecord) -> bool:
    record.msg, record.args = re.sub(r"\?[^\s'\"]+", "?...", record.getMessage()), ()
    return True
