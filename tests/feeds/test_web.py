import gzip
import io
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.errors import SourceError
from forecasting.sources import web_session
from forecasting.sources.web import NotThere, Refused, Web
from forecasting.sources.web_session import USER_AGENT, Cache
from tests.feeds.conftest import QUICK, RudeServer

BODY = b"REGION,DEMAND\nNSW1,7000\n" * 50
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n" % len(BODY)
SECRET = "s3cr3t-k3y"  # noqa: S105 - invented
ENDLESS: list[bytes | float] = [b"x", 0.05] * 10_000


class Once:
    """Answers with each of its responses in turn, and then with the last for ever."""

    def __init__(self, *responses: Response) -> None:
        self.responses, self.requests = list(responses), list[Request]()

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


def serve(server: HTTPServer, *responses: Response, path: str = "/data.csv") -> tuple[str, Once]:
    handler = Once(*responses)
    server.expect_request(path).respond_with_handler(handler)
    return server.url_for(path), handler


def good(**headers: str) -> Response:
    return Response(BODY, content_type="text/csv", headers=headers)


def problem_of(web: Web, url: str, **asked: dict[str, str]) -> str:
    with pytest.raises(SourceError) as caught:
        web.get(url, **asked)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def seconds(action: object) -> float:
    started = time.monotonic()
    assert callable(action)
    action()
    return time.monotonic() - started


# What is asked


def test_a_good_answer_is_its_body_and_we_say_who_asks(httpserver: HTTPServer, web: Web) -> None:
    url, asked = serve(httpserver, good())
    assert web.get(url, {"start": "2024-01-01T00", "facets[type][]": ["D", "DF"]}, {"X-Api-Key": SECRET}) == BODY
    assert asked.requests[0].headers["User-Agent"] == USER_AGENT == "fortnight/0.1.0"
    assert asked.requests[0].headers["X-Api-Key"] == SECRET
    assert asked.requests[0].args.getlist("facets[type][]") == ["D", "DF"]


def test_a_gzipped_answer_is_unpacked(httpserver: HTTPServer, web: Web) -> None:
    url, asked = serve(httpserver, Response(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}))
    assert web.get(url) == BODY
    assert asked.requests[0].headers["Accept-Encoding"] == "gzip"


def test_a_file_of_type_gzip_stays_packed(httpserver: HTTPServer, web: Web) -> None:
    packed = gzip.compress(BODY)
    url, _ = serve(httpserver, Response(packed, content_type="application/gzip"))
    assert web.get(url) == packed


def test_a_chunked_answer_is_put_together(httpserver: HTTPServer, web: Web, rude: RudeServer) -> None:
    rude.answers = [[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", 0.1, b"3\r\nfgh\r\n0\r\n\r\n"]]
    assert web.get(rude.url) == b"abcdefgh"


def test_what_is_large_goes_to_a_file(httpserver: HTTPServer, web: Web) -> None:
    url, _ = serve(httpserver, good())
    with web.download(url) as file:
        assert file.read() == BODY


# What passes by itself


def test_a_failure_of_the_server_is_tried_again(httpserver: HTTPServer, web: Web) -> None:
    url, asked = serve(httpserver, Response(status=500), Response(status=503), good())
    assert web.get(url) == BODY
    assert len(asked.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_lasting_failure_is_given_up_after_the_last_try(httpserver: HTTPServer, web: Web, status: int) -> None:
    url, asked = serve(httpserver, Response(status=status))
    problem = problem_of(web, url)
    assert f"localhost:{httpserver.port}/data.csv does not answer now ({status}" in problem
    assert "3 tries" in problem
    assert "try again later" in problem
    assert len(asked.requests) == QUICK.tries


def test_pauses_grow(httpserver: HTTPServer) -> None:
    web = Web(QUICK.model_copy(update={"tries": 4, "backoff_s": 0.4}))
    url, asked = serve(httpserver, Response(status=500))
    taken_s = seconds(lambda: problem_of(web, url))
    assert len(asked.requests) == 4
    assert 0 + 0.4 + 0.8 <= taken_s < 5


def test_a_short_retry_after_is_kept_to(httpserver: HTTPServer, web: Web) -> None:
    url, asked = serve(httpserver, Response(status=429, headers={"Retry-After": "1"}), good())
    assert 1.0 <= seconds(lambda: web.get(url)) < 5
    assert len(asked.requests) == 2


def test_a_retry_after_may_be_a_date(httpserver: HTTPServer, web: Web) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    url, asked = serve(httpserver, Response(status=503, headers={"Retry-After": moment}), good())
    assert 0.9 <= seconds(lambda: web.get(url)) < 5
    assert len(asked.requests) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_retry_after_is_given_up_at_once(httpserver: HTTPServer, web: Web, form: str) -> None:
    wait = "3605" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=3610), usegmt=True)
    url, asked = serve(httpserver, Response(status=429, headers={"Retry-After": wait}), good())
    started = time.monotonic()
    assert "come back in 1:00:" in problem_of(web, url)
    assert time.monotonic() - started < 5
    assert len(asked.requests) == 1


@pytest.mark.parametrize("wait", ["soon", "9" * 5000, "Mon, 99 Foo 99999 99:99:99 GMT", "-5"])
def test_a_retry_after_that_says_nothing_is_passed_over(httpserver: HTTPServer, web: Web, wait: str) -> None:
    url, asked = serve(httpserver, Response(status=429, headers={"Retry-After": wait}), good())
    assert web.get(url) == BODY
    assert len(asked.requests) == 2


def test_a_server_that_says_nothing_times_out(rude: RudeServer) -> None:
    web = Web(QUICK.model_copy(update={"timeout_s": 0.3, "tries": 2}))
    rude.answers = [[10.0]]
    started = time.monotonic()
    assert "did not answer within 0.3 s (2 tries)" in problem_of(web, rude.url + "/x")
    assert time.monotonic() - started < 5
    assert len(rude.requests) == 2


def test_the_session_itself_has_time_outs(rude: RudeServer) -> None:
    web = Web(QUICK.model_copy(update={"timeout_s": 0.3, "tries": 1}))
    rude.answers = [[10.0]]
    with pytest.raises(OSError, match="timed out"):
        web.session.get(rude.url)


@pytest.mark.parametrize(
    "start", [ANSWER, b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"]
)
def test_an_answer_that_drips_is_ended(rude: RudeServer, start: bytes) -> None:
    web = Web(QUICK.model_copy(update={"total_s": 0.5}))
    rude.answers = [[start, *ENDLESS]]
    started = time.monotonic()
    assert "was still sending after 0.5 s" in problem_of(web, rude.url)
    assert time.monotonic() - started < 5
    assert len(rude.requests) == 1


@pytest.mark.parametrize("status", [b"403 Forbidden", b"500 Broken"])
def test_what_a_failure_drips_is_not_waited_for(rude: RudeServer, status: bytes) -> None:
    web = Web(QUICK.model_copy(update={"timeout_s": 0.5}))
    rude.answers = [[b"HTTP/1.1 " + status + b"\r\nContent-Length: 1000000\r\n\r\n", *ENDLESS]]
    assert seconds(lambda: problem_of(web, rude.url)) < 5


# What is cut short


def test_an_answer_that_breaks_off_is_asked_for_again(rude: RudeServer, web: Web) -> None:
    rude.answers = [[ANSWER, BODY[:100]], [ANSWER, BODY]]
    assert web.get(rude.url) == BODY
    assert len(rude.requests) == 2


def test_a_download_that_breaks_off_starts_afresh(rude: RudeServer, web: Web) -> None:
    rude.answers = [[ANSWER, BODY[:100]], [ANSWER, BODY]]
    with web.download(rude.url) as file:
        assert file.read() == BODY


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([ANSWER, BODY[:-1]], "stopped in the middle"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"], "stopped in the middle"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"], "stopped in the middle"),
        ([ANSWER, BODY[:9], 5.0], "stopped in the middle"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(BODY)[:-12]], "broken gzip"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(BODY)[:-4] + b"abcd"], "broken gzip"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", BODY], "broken gzip"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(BODY), b"and more"], "broken gzip"),
        ([], "hung up without an answer"),
        ([b"nonsense"], "hung up without an answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", BODY], "in the encoding 'br'"),
    ],
)
def test_what_is_not_whole_is_refused(rude: RudeServer, web: Web, answer: list[bytes | float], problem: str) -> None:
    rude.answers = [answer]
    assert problem in problem_of(web, rude.url)
    assert len(rude.requests) == (1 if "encoding" in problem else QUICK.tries)


# What does not pass


@pytest.mark.parametrize(
    ("status", "problem", "remedy"),
    [
        (401, "does not let us in (401 Unauthorized)", "check the key"),
        (403, "does not let us in (403 Forbidden)", USER_AGENT),
        (404, "is not there (404 Not Found)", "check the URL"),
        (400, "does not take the request (400 Bad Request)", "options"),
        (204, "does not take the request (204 No Content)", "options"),
        (799, "does not take the request (799)", "options"),
        (304, "does not take the request (304 Not Modified)", "options"),
    ],
)
def test_a_refusal_is_not_tried_again(httpserver: HTTPServer, web: Web, status: int, problem: str, remedy: str) -> None:
    url, asked = serve(httpserver, Response(b"because", status=status))
    with pytest.raises(Refused) as caught:
        web.get(url, {"api_key": SECRET}, {"X-Api-Key": SECRET})
    assert f"localhost:{httpserver.port}/data.csv {problem}" in caught.value.problem
    assert remedy in caught.value.remedy
    assert SECRET not in str(caught.value)
    assert isinstance(caught.value, NotThere) == (status == 404)
    assert caught.value.told == (b"" if status in (204, 304) else b"because")
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    "page",
    [
        Response(BODY, content_type="text/html; charset=utf-8"),
        Response(b"\xef\xbb\xbf \r\n<!DOCTYPE HTML><html>", content_type="text/csv"),
        Response(b"<html><body>maintenance", content_type="application/octet-stream"),
    ],
)
def test_a_web_page_is_no_data(httpserver: HTTPServer, web: Web, page: Response) -> None:
    url, _ = serve(httpserver, page)
    assert "answers with a web page" in problem_of(web, url)
    with pytest.raises(SourceError, match="web page"), web.download(url):
        pass


def test_a_host_that_does_not_exist_or_listen(web: Web) -> None:
    assert "nobody.invalid/x: nobody knows this host" in problem_of(web, f"http://nobody.invalid/x?key={SECRET}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    problem = problem_of(web, f"http://user:{SECRET}@127.0.0.1:{port}/x?key={SECRET}")
    assert problem.startswith(f"127.0.0.1:{port}/x cannot be reached (3 tries)")
    assert SECRET not in problem


@pytest.mark.parametrize("url", ["", "x", "http://", "ftp://host/x", "http://[::1/x", "http://host:port/x", "http://\u0000/x"])
def test_what_is_no_url_is_told(web: Web, url: str) -> None:
    assert "cannot be asked" in problem_of(web, url) or "knows this host" in problem_of(web, url)


@pytest.mark.parametrize("key", ["line\nbreak", "ключ"])
def test_a_key_that_no_header_can_hold_is_not_told(httpserver: HTTPServer, web: Web, key: str) -> None:
    url, _ = serve(httpserver, good())
    problem = problem_of(web, url, headers={"X-Api-Key": key})
    assert "cannot be asked" in problem
    assert key not in problem


def test_an_endless_answer_is_refused(httpserver: HTTPServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecasting.sources.web.LARGEST_BODY_BYTES", 2**20)
    packed = gzip.compress(bytes(2**24))  # a small answer that unpacks to a large one
    url, _ = serve(httpserver, Response(packed, headers={"Content-Encoding": "gzip"}))
    assert "more than 1,048,576 bytes" in problem_of(web, url)


def test_a_full_disk_is_told(httpserver: HTTPServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = serve(httpserver, good())

    class FullDisk(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", FullDisk)
    with pytest.raises(SourceError, match="no room"), web.download(url):
        pass


# Redirects


def test_a_redirect_is_followed(httpserver: HTTPServer, web: Web) -> None:
    url, _ = serve(httpserver, Response(status=302, headers={"Location": "/there.csv"}))
    _, asked = serve(httpserver, good(), path="/there.csv")
    assert web.get(url, headers={"X-Api-Key": SECRET}) == BODY
    assert asked.requests[0].headers["X-Api-Key"] == SECRET


def test_a_redirect_elsewhere_does_not_get_the_key(httpserver: HTTPServer, rude: RudeServer) -> None:
    web = Web(QUICK.model_copy(update={"redirect_hosts": ("127.0.0.1",)}))
    url, _ = serve(httpserver, Response(status=302, headers={"Location": f"{rude.url}/there.csv"}))
    rude.answers = [[ANSWER, BODY]]
    assert web.get(url, headers={"X-Api-Key": SECRET, "Authorization": SECRET}) == BODY
    assert SECRET.encode() not in rude.requests[0]
    assert USER_AGENT.encode() in rude.requests[0]


def test_redirects_in_circles_are_given_up(httpserver: HTTPServer, web: Web) -> None:
    url, _ = serve(httpserver, Response(status=301, headers={"Location": "/data.csv"}))
    assert "leads in circles" in problem_of(web, url)


def test_the_body_of_a_redirect_is_not_read(rude: RudeServer, web: Web) -> None:
    rude.answers = [
        [b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 1000000\r\n\r\n", *ENDLESS],
        [ANSWER, BODY],
    ]
    started = time.monotonic()
    assert web.get(rude.url) == BODY
    assert time.monotonic() - started < 5


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that only those trust who are told to, with its key."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[RudeServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = RudeServer(wrap=lambda connection: context.wrap_socket(connection, server_side=True))
    server.url = server.url.replace("http:", "https:")
    yield server
    server.listener.close()


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(secure: RudeServer, web: Web) -> None:
    secure.answers = [[ANSWER, BODY]]
    problem = problem_of(web, secure.url)
    assert "no trusted connection to offer (self-signed certificate" in problem
    assert "REQUESTS_CA_BUNDLE" in problem
    assert secure.requests == []


def test_tls_where_there_is_none(rude: RudeServer, web: Web) -> None:
    rude.answers = [[ANSWER, BODY]]
    assert "no trusted connection" in problem_of(web, rude.url.replace("http:", "https:"))


def test_tls_drips_and_downgrades_are_ended_too(
    secure: RudeServer, certificate: Path, rude: RudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # as the remedy says
    web = Web(QUICK.model_copy(update={"total_s": 0.5}))
    secure.answers = [
        [ANSWER, BODY],
        [ANSWER, *ENDLESS],
        [b"HTTP/1.1 302 Found\r\nLocation: " + rude.url.encode() + b"\r\n\r\n"],
    ]
    assert web.get(secure.url) == BODY
    started = time.monotonic()
    assert "was still sending" in problem_of(web, secure.url)
    assert time.monotonic() - started < 5
    assert "leads from https to http" in problem_of(web, secure.url)
    assert rude.requests == []


# The cache


class Feed:
    """A file with validators; counts its answers and the bytes of their bodies."""

    def __init__(self, body: bytes = BODY, **headers: str) -> None:
        self.body, self.headers, self.tag = body, headers, True
        self.statuses, self.sent_bytes, self.requests = list[int](), 0, list[Request]()

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        response = Response(self.body, content_type="text/csv", headers=self.headers)
        if "Last-Modified" not in self.headers:
            response.add_etag()
        response.make_conditional(request)
        self.statuses.append(response.status_code)
        if response.status_code == 200:
            self.sent_bytes += len(self.body)
        return response


def publish(server: HTTPServer, feed: Feed) -> str:
    server.expect_request("/month.csv").respond_with_handler(feed)
    return server.url_for("/month.csv")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "max-age=86400"},
        {"Expires": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "Cache-Control": "max-age=86400"},
        {"Vary": "Accept-Encoding"},
        {"Date": "yesterday"},
        {"Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_what_has_not_changed_is_not_sent_again(httpserver: HTTPServer, tmp_path: Path, headers: dict[str, str]) -> None:
    packed = gzip.compress(BODY) if "Content-Encoding" in headers else BODY
    feed = Feed(packed, **headers)
    url = publish(httpserver, feed)
    assert Web(QUICK, tmp_path).get(url) == BODY
    web = Web(QUICK, tmp_path)  # another process, another day
    assert [web.get(url), web.get(url)] == [BODY, BODY]
    with web.download(url) as file:
        assert file.read() == BODY
    assert feed.statuses == [200, 304, 304, 304]
    assert feed.sent_bytes == len(packed)


@pytest.mark.parametrize("headers", [{}, {"Cache-Control": "max-age=86400"}, {"Expires": "Fri, 01 Jan 2100 00:00:00 GMT"}], ids=str)
def test_what_has_changed_is_never_taken_from_the_cache(httpserver: HTTPServer, tmp_path: Path, headers: dict[str, str]) -> None:
    feed = Feed(**headers)
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path)
    assert web.get(url) == BODY
    feed.body = b"corrected"
    assert web.get(url) == b"corrected"
    assert feed.statuses == [200, 200]


@pytest.mark.parametrize("headers", [{"Cache-Control": "max-age=1, NO-STORE"}, {"Vary": "X-Api-Key"}, {"Vary": "*"}], ids=str)
def test_what_must_not_be_kept_is_not(httpserver: HTTPServer, tmp_path: Path, headers: dict[str, str]) -> None:
    feed = Feed(**headers)
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path)
    assert [web.get(url, headers={"X-Api-Key": SECRET}) for _ in range(2)] == [BODY, BODY]
    assert feed.statuses == [200, 200]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_key_comes_to_the_disk(httpserver: HTTPServer, tmp_path: Path) -> None:
    url = publish(httpserver, Feed())
    httpserver.expect_request("/old").respond_with_response(Response(status=301, headers={"Location": f"/month.csv?key={SECRET}"}))
    web = Web(QUICK, tmp_path)
    web.get(url, {"key": SECRET}, {"X-Api-Key": SECRET})
    web.get(httpserver.url_for("/old"))
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert kept
    assert not any(SECRET.encode() in path.read_bytes() + bytes(path) for path in kept)


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_cache_is_passed_over(httpserver: HTTPServer, tmp_path: Path, damage: bytes | None) -> None:
    feed = Feed()
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path)
    web.get(url)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            kept = path.read_bytes()
            path.write_bytes(kept[:-9] + b"\0" + kept[-8:] if damage is None else damage)
    assert web.get(url) == BODY
    assert feed.statuses == [200, 200]


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    httpserver: HTTPServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "http").write_text("a file where the folder should be")
    feed = Feed()
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path / "http")
    assert [web.get(url), web.get(url)] == [BODY, BODY]
    assert "could not be cached" in caplog.text


def test_a_broken_answer_is_not_confirmed_for_ever(httpserver: HTTPServer, tmp_path: Path) -> None:
    feed = Feed(gzip.compress(BODY)[:-9], **{"Content-Encoding": "gzip"})
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path)
    assert "broken gzip" in problem_of(web, url)
    feed.body = b"<html>login</html>"
    feed.headers = {}
    assert "web page" in problem_of(web, url)
    assert set(feed.statuses) == {200}
    assert not any("If-None-Match" in request.headers for request in feed.requests)


def test_an_answer_that_broke_off_is_not_kept(rude: RudeServer, tmp_path: Path) -> None:
    head = ANSWER.replace(b"\r\n\r\n", b'\r\nETag: "1"\r\n\r\n')
    rude.answers = [[head, BODY[:50]], [head, BODY]]
    web = Web(QUICK, tmp_path)
    assert web.get(rude.url) == BODY
    assert b"If-None-Match" not in rude.requests[1]


def test_what_is_too_large_is_not_kept(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_session, "LARGEST_CACHED_BYTES", len(BODY) - 1)
    feed = Feed()
    url = publish(httpserver, feed)
    web = Web(QUICK, tmp_path)
    assert [web.get(url), web.get(url)] == [BODY, BODY]
    assert feed.statuses == [200, 200]


def test_a_condition_does_not_follow_a_redirect(httpserver: HTTPServer, tmp_path: Path) -> None:
    moved = Response(status=302, headers={"Location": "/there.csv"})
    url, _ = serve(httpserver, good(ETag='"1"'), moved)
    _, asked = serve(httpserver, good(ETag='"1"'), path="/there.csv")
    web = Web(QUICK, tmp_path)
    assert [web.get(url), web.get(url)] == [BODY, BODY]
    assert "If-None-Match" not in asked.requests[0].headers


def test_the_cache_keeps_what_was_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    for number in range(10):
        cache.set(f"http://host/{number}", bytes(100_000))
    monkeypatch.setattr(web_session, "CACHE_BYTES", 500_000)
    cache = Cache(tmp_path)
    kept = [number for number in range(10) if cache.get(f"http://host/{number}") is not None]
    assert 3 <= len(kept) <= 4
    assert kept == list(range(10))[-len(kept) :]


# Secrets


def test_nothing_that_is_logged_has_a_query_in_it(
    httpserver: HTTPServer, rude: RudeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    web = Web(QUICK, tmp_path)
    url, _ = serve(httpserver, Response(status=500), good(ETag='"1"'))
    asked = {"securityToken": SECRET}, {"X-Api-Key": SECRET}
    assert web.get(url, *asked) == web.get(url, *asked) == BODY
    rude.answers = [[]]
    with pytest.raises(SourceError):
        web.get(rude.url, *asked)
    with pytest.raises(SourceError):
        web.get("http://nobody.invalid/", *asked)
    ours = [record for record in caplog.records if record.name != "werkzeug"]
    assert any("Retrying" in record.getMessage() for record in ours)
    assert not any(SECRET in record.getMessage() for record in ours)


def test_no_exception_leads_to_a_key(rude: RudeServer, web: Web) -> None:
    rude.answers = [[]]
    with pytest.raises(SourceError) as caught:
        web.get(rude.url, {"securityToken": SECRET})
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__ or error.__context__
