"""The one way to a feed over HTTP."""

import gzip
import io
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPResponse, Retry, exceptions

from forecasting.errors import SourceError
from forecasting.settings import WebSettings
from forecasting.sources.web_session import PASSING, USER_AGENT, Downgraded, Session

LARGEST_BODY_BYTES, LARGEST_FILE_BYTES = 2**28, 2**31
"""Of an answer that is held in memory, and of one that is downloaded to a file; both as they are unpacked."""
PIECE_BYTES = 2**16
LATER = "it may pass by itself: try again later"
NAMES = {known.value: known.phrase for known in HTTPStatus}

Params: TypeAlias = Mapping[str, str | list[str]] | None
Told: TypeAlias = tuple[str, str]
"""A problem and its remedy."""


class Refused(SourceError):  # noqa: N818 - a state that callers treat apart
    """The feed answered with a status of HTTP that is not 200. `told` is the beginning of what it said."""

    def __init__(self, problem: str, remedy: str, status: int = 0, told: bytes = b"") -> None:
        super().__init__(problem, remedy)
        self.status, self.told = status, told


class NotThere(Refused):
    """The feed has nothing at this address: not yet, not any more, or never."""


class CutShort(Exception):  # noqa: N818 - a state that is tried to be mended first
    """The body ended before its end."""


class Web:
    """A session with time-outs, back-off, Retry-After, a User-Agent, and conditional requests from a cache on disk.

    Nothing is taken from the cache before the feed said, in this very request, that it is unchanged (ETag, Last-Modified).
    `session` may be handed to other libraries; it lacks only the limits of a whole answer and the checks of its body.
    """

    def __init__(self, settings: WebSettings | None = None, cache: Path | None = None) -> None:
        self.settings = settings or WebSettings()
        self.session = Session(self.settings, cache)

    def get(self, url: str, params: Mapping[str, str | list[str]] | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a good answer.

        Raises:
            NotThere: 404 or 410.
            Refused: any other status than 200.
            SourceError: no answer, one that is cut short, too slow or too large, or a web page where data should be.
        """
        sink = io.BytesIO()
        self._fetch(url, sink, LARGEST_BODY_BYTES, params, headers)
        return sink.getvalue()

    @contextmanager
    def download(self, url: str) -> Iterator[BinaryIO]:
        """The body of a good answer as a temporary file, for what may be large. Raises like `get`."""
        with tempfile.TemporaryFile() as sink:
            self._fetch(url, sink, LARGEST_FILE_BYTES)
            sink.seek(0)
            yield sink

    def _fetch(
        self, url: str, sink: BinaryIO, largest_bytes: int, params: Params = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Ask, and ask again where the body was cut short, which the session itself does not see."""
        patience: Retry = self.session.patience
        while True:
            sink.seek(0)
            sink.truncate()
            with self._ask(url, params, headers) as answer:
                try:
                    self._copy(answer, sink, largest_bytes)
                    self._refuse_web_page(answer, sink)
                except CutShort as error:
                    self.session.forget(answer)
                    cut = error
                except SourceError:
                    self.session.forget(answer)
                    raise
                else:
                    return
            try:
                patience = patience.increment("GET", error=exceptions.ProtocolError(str(cut)))
            except exceptions.MaxRetryError:
                raise SourceError(f"{place_of(url)} {cut} ({self._tries})", LATER) from None
            patience.sleep()

    def _ask(self, url: str, params: Params, headers: Mapping[str, str] | None) -> requests.Response:
        """An answer with status 200, its body not read yet."""
        try:
            answer = self.session.get(url, params=params, headers=headers, stream=True)
        except (requests.RequestException, exceptions.HTTPError, UnicodeError) as error:
            told = self._explained(error, place_of(url))
        else:
            if answer.status_code == HTTPStatus.OK:
                return answer
            with answer:
                raise self._refusal(answer, place_of(url))
        raise SourceError(*told)  # not beside its cause, whose text has the whole URL in it

    def _copy(self, answer: requests.Response, sink: BinaryIO, largest_bytes: int) -> None:
        encoding, place = answer.headers.get("Content-Encoding", "identity").strip().lower(), place_of(answer.url)
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceError(f"{place} answers in the encoding {encoding[:40]!r}, which was not asked for", LATER)
        # The session's own decoder takes a gzip stream that ends early for a whole one.
        body = gzip.GzipFile(fileobj=answer.raw) if encoding.endswith("gzip") else answer.raw
        with _cut_off_after(self.settings.total_s, answer.raw) as is_over:
            try:
                while piece := body.read(PIECE_BYTES):
                    sink.write(piece)
                    if sink.tell() > largest_bytes:
                        raise SourceError(f"{place} sends more than {largest_bytes:,} bytes", "ask for less at once")
            except exceptions.HTTPError:
                if not is_over.is_set():
                    raise CutShort("stopped in the middle of its answer") from None
            except (EOFError, zlib.error, gzip.BadGzipFile):
                if not is_over.is_set():
                    raise CutShort("sent a broken gzip stream") from None
            except OSError as error:
                raise SourceError(f"no room for the answer of {place} ({error.strerror})", "make room in TMPDIR") from None
        if is_over.is_set():
            raise SourceError(f"{place} was still sending after {self.settings.total_s:g} s", LATER)

    def _refuse_web_page(self, answer: requests.Response, sink: BinaryIO) -> None:
        sink.seek(0)
        head = sink.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml") or head.startswith((b"<!doctype html", b"<html")):
            raise SourceError(
                f"{place_of(answer.url)} answers with a web page, not with data", "open it in a browser and read what it says"
            )

    def _refusal(self, answer: requests.Response, place: str) -> Refused:
        status = answer.status_code
        name = f"{status} {NAMES.get(status, '')}".strip()
        told = b""
        with _cut_off_after(self.settings.timeout_s, answer.raw), suppress(exceptions.HTTPError):
            told = answer.raw.read(4096, decode_content=True)
        if status in (404, 410):
            remedy = "check the URL and the series' options; what is new may only come later"
            return NotThere(f"{place} is not there ({name})", remedy, status, told)
        if status in (401, 403, 407):
            remedy = f"check the key, if it wants one, and that it admits this machine and the User-Agent {USER_AGENT}"
            return Refused(f"{place} does not let us in ({name})", remedy, status, told)
        if status not in PASSING:
            return Refused(f"{place} does not take the request ({name})", "check the URL and the series' options", status, told)
        wait_s = self.session.patience.get_retry_after(answer.raw)
        if wait_s:
            remedy = f"come back in {timedelta(seconds=round(wait_s))} (h:mm:ss), as it asks"
            return Refused(f"{place} does not answer now ({name})", remedy, status, told)
        return Refused(f"{place} does not answer now ({name}, {self._tries})", LATER, status, told)

    def _explained(self, error: Exception, place: str) -> Told:
        cause = error.args[0] if error.args else None
        if isinstance(cause, exceptions.MaxRetryError):
            cause = cause.reason
        if isinstance(error, requests.exceptions.ProxyError):
            return f"the proxy on the way to {place} does not answer", "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
        if isinstance(error, requests.exceptions.SSLError):
            inner = cause.args[0] if isinstance(cause, Exception) and cause.args else None
            why = getattr(inner, "verify_message", None) or getattr(inner, "reason", None) or "TLS error"
            remedy = "check this machine's time and certificates; behind a proxy, point REQUESTS_CA_BUNDLE at its certificates"
            return f"{place} has no trusted connection to offer ({why})", remedy
        if isinstance(cause, exceptions.NameResolutionError):
            return f"{place}: nobody knows this host", "check the URL, and this machine's name service"
        if isinstance(cause, exceptions.NewConnectionError):
            return f"{place} cannot be reached ({self._tries})", "check the network and the URL, or try again later"
        if isinstance(error, requests.Timeout) or isinstance(cause, exceptions.TimeoutError):
            return f"{place} did not answer within {self.settings.timeout_s:g} s ({self._tries})", LATER
        if isinstance(error, requests.TooManyRedirects):
            return f"{place} leads in circles", "check the URL"
        if isinstance(error, Downgraded):
            return f"{place} leads from https to http", "give the address where the data is, if you trust it"
        if isinstance(error, requests.ConnectionError):
            return f"{place} hung up without an answer ({self._tries})", LATER
        return f"{place} cannot be asked ({type(error).__name__})", "check the URL and the key"

    @property
    def _tries(self) -> str:
        return "1 try" if self.settings.tries == 1 else f"{self.settings.tries} tries"


@contextmanager
def _cut_off_after(limit_s: float, raw: HTTPResponse) -> Iterator[threading.Event]:
    """End whatever is read of an answer when the time is up: one read waits for all of its bytes, however slowly they come."""
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        with suppress(OSError, ValueError, RuntimeError):  # it is read already, or comes from the cache
            raw.shutdown()

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


def place_of(url: str) -> str:
    """Host and path: what else is in a URL may hold a key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the feed"
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or "the feed"
