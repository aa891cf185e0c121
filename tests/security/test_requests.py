"""Requests to places that the settings do not name: by redirects, by addresses, by names that change."""

import gzip
import socket

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.alerts.channels import send
from forecasting.errors import DeliveryError, SourceError
from forecasting.sources import open_source
from forecasting.sources.csv import CsvSource
from forecasting.sources.entsoe import EntsoeSource
from forecasting.sources.web import Web
from forecasting.sources.web_guard import Forbidden, plain_address, require_address, require_redirect
from tests.feeds.conftest import QUICK, RudeServer
from tests.unit.builders import make_series, utc

SINCE, UNTIL = utc("2024-01-01 00:00"), utc("2024-01-02 00:00")
SECRET = "s3cr3t-k3y"  # noqa: S105 - invented
LOOT = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nloot"]

Names = dict[str, list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name service that an attacker runs: each look at a name takes the next of its addresses, the last one again and again."""
    known: Names = {}
    real = socket.getaddrinfo

    def look(host: str, port: object, *rest: object, **more: object) -> object:
        if host not in known:
            return real(host, port, *rest, **more)  # type: ignore[arg-type, call-overload]
        address = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return real(address, port, *rest, **more)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return known


def lead(server: HTTPServer, location: str, path: str = "/data.csv") -> str:
    def answer(_: Request) -> Response:
        response = Response(status=302)
        response.autocorrect_location_header = False
        response.headers["Location"] = location
        return response

    server.expect_request(path).respond_with_handler(answer)
    return server.url_for(path)


@pytest.mark.parametrize(
    "target",
    ["http://{rude}/x", "//{rude}/x", "http://localhost:{port}/x", "http://user:pw@{rude}/x", "http://LOCALHOST.:{port}/x"],
)
def test_a_redirect_to_another_host_or_port_is_not_followed(
    httpserver: HTTPServer, rude: RudeServer, web: Web, target: str
) -> None:
    rude.answers = [LOOT]
    url = lead(httpserver, target.format(rude=f"127.0.0.1:{rude.port}", port=rude.port))
    with pytest.raises(Forbidden, match=r"leads on to .*redirect_hosts"):
        web.get(url, headers={"X-Api-Key": SECRET})
    assert rude.requests == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://localhost/x", "gopher://localhost/_x", "data:text/csv,x"])
def test_a_redirect_to_something_else_than_http_is_not_followed(httpserver: HTTPServer, web: Web, target: str) -> None:
    with pytest.raises(SourceError):
        web.get(lead(httpserver, target))


def test_a_redirect_to_a_host_of_the_settings_is_followed_without_any_key(httpserver: HTTPServer, rude: RudeServer) -> None:
    web = Web(QUICK.model_copy(update={"redirect_hosts": ("127.0.0.1",)}))
    rude.answers = [LOOT]
    assert web.get(lead(httpserver, f"{rude.url}/x"), headers={"X-Api-Key": SECRET, "Cookie": SECRET}) == b"loot"
    assert SECRET.encode() not in rude.requests[0]


def test_a_chain_of_redirects_is_judged_at_each_step(httpserver: HTTPServer, rude: RudeServer, web: Web) -> None:
    lead(httpserver, f"{rude.url}/x", "/second")
    with pytest.raises(Forbidden, match="leads on to 127"):
        web.get(lead(httpserver, "/second"))
    assert rude.requests == []


def test_leave_to_be_led_on_is_no_leave_to_metadata(httpserver: HTTPServer) -> None:
    web = Web(QUICK.model_copy(update={"redirect_hosts": ("169.254.169.254",), "private_hosts": ("169.254.169.254",)}))
    with pytest.raises(Forbidden, match=r"169\.254\.169\.254, where no feed is"):
        web.get(lead(httpserver, "http://169.254.169.254/latest/meta-data/"))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200",
        "168.63.129.16", "224.0.0.1",
    ],
)  # fmt: skip
def test_metadata_is_out_of_reach_however_it_is_written(web: Web, host: str) -> None:
    with pytest.raises(Forbidden, match=r"where no feed is|which is an address of this network"):
        web.get(f"http://{host}/latest/meta-data/")


def test_a_proxy_does_not_fetch_metadata_for_us(rude: RudeServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", rude.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    rude.answers = [LOOT]
    with pytest.raises(Forbidden):
        web.get("http://169.254.169.254/latest/meta-data/")
    assert rude.requests == []
    assert web.get("http://feed.example/x") == b"loot"


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_a_name_does_not_lead_to_metadata(web: Web, names: Names, address: str) -> None:
    names["feed.example"] = [address]
    with pytest.raises(Forbidden, match=r"feed\.example leads to .* where no feed is"):
        web.get("http://feed.example/x")


def test_a_name_on_the_internet_does_not_lead_into_this_network(rude: RudeServer, names: Names) -> None:
    names["feed.example"] = ["127.0.0.1"]
    rude.answers = [LOOT]
    url = f"http://feed.example:{rude.port}/x"
    with pytest.raises(Forbidden, match=r'private_hosts = \["feed.example"\]'):
        Web(QUICK).get(url)
    assert rude.requests == []
    assert Web(QUICK.model_copy(update={"private_hosts": ("feed.example",)})).get(url) == b"loot"


def test_a_name_that_changes_between_look_and_connection_gains_nothing(rude: RudeServer, names: Names) -> None:
    """The second look would lead elsewhere: there is none, and what was looked at is what is connected to."""
    names["feed.example"] = ["127.0.0.1", "169.254.169.254"]
    rude.answers = [LOOT]
    web = Web(QUICK.model_copy(update={"private_hosts": ("feed.example",)}))
    assert web.get(f"http://feed.example:{rude.port}/x") == b"loot"
    assert f"Host: feed.example:{rude.port}".encode() in rude.requests[0]
    with pytest.raises(Forbidden, match=r"169\.254\.169\.254"):
        web.get(f"http://feed.example:{rude.port}/x")
    assert len(rude.requests) == 1


def test_one_forbidden_address_among_good_ones_is_enough(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.215.14", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Forbidden, match=r"10\.0\.0\.7"):
        web.get("http://feed.example/x")


def test_the_next_address_is_tried_where_one_does_not_answer(rude: RudeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
    found = [(kind, socket.SOCK_STREAM, 6, "", (address, rude.port)) for kind, address in kinds]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: found if host == "localhost" else real(host, *rest, **more)
    )
    rude.answers = [LOOT]
    assert Web(QUICK).get(f"http://localhost:{rude.port}/x") == b"loot"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://a.example/x", "https://a.example/x"),
        ("https://a.example/x", "https://www.a.example:443/y"),
        ("https://www.a.example/x", "https://A.EXAMPLE./y"),
        ("http://a.example:8080/x", "http://a.example:8080/y"),
        ("http://[::1]:80/x", "http://[::1]/y"),
    ],
)
def test_what_is_the_same_host(before: str, after: str) -> None:
    require_redirect(before, after, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://a.example/x", "https://a.example.evil/x"),
        ("https://a.example/x", "https://evil-a.example/x"),
        ("https://a.example/x", "https://a.example@evil/x"),
        ("https://a.example/x", "https://a.example:5432/x"),
        ("https://a.example/x", "https://api.a.example/x"),
        ("https://a.example/x", "https:///x"),
    ],
)
def test_what_is_another_host(before: str, after: str) -> None:
    with pytest.raises(Forbidden):
        require_redirect(before, after, ("b.example",))


def test_addresses_are_unwrapped_and_names_are_none() -> None:
    assert str(plain_address("::ffff:10.0.0.1")) == "10.0.0.1"
    assert str(plain_address("[fe80::1%eth0]")) == "fe80::1"
    assert (str(plain_address("::1")), str(plain_address("::"))) == ("::1", "::")
    assert plain_address("10.example") is None
    for here in ("127.0.0.1", "0.0.0.0", "::", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "fd12::1", "100.64.0.1"):  # noqa: S104
        require_address(here, here, ())
        with pytest.raises(Forbidden):
            require_address("feed.example", here, ("other.example",))
    require_address("feed.example", "93.184.215.14", ())


def test_every_source_is_held_to_it(httpserver: HTTPServer, rude: RudeServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIA_API_KEY", SECRET)
    url = lead(httpserver, f"{rude.url}/x")
    hourly = make_series(zone="UTC", minutes=60)
    for name, options, series in (
        ("aemo", {"url": url + "?{month}", "region": "VIC1"}, make_series()),
        ("csv", {"path": url}, make_series()),
        ("eia", {"url": url, "respondent": "NYIS"}, hourly),
    ):
        with pytest.raises(Forbidden, match="leads on"):
            list(open_source(name, "x", options, web).read(series, SINCE, UNTIL))
    assert rude.requests == []


def test_the_session_that_entsoe_borrows_is_held_to_it(names: Names, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("entsoe")
    monkeypatch.setenv("ENTSOE_API_KEY", SECRET)
    names["web-api.tp.entsoe.eu"] = ["10.0.0.7"]
    with pytest.raises(Forbidden) as caught:
        list(EntsoeSource(web, country_code="FR").read(make_series(minutes=60), SINCE, UNTIL))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["file:///etc/passwd", "ftp://localhost/x.csv", "gopher://x", "\\\\host\\share", "s3://bucket/key"]
)
def test_a_table_is_a_file_or_comes_over_http(web: Web, path: str) -> None:
    with pytest.raises(SourceError, match="no such file"):
        list(CsvSource(web, path=path).read(make_series(), SINCE, UNTIL))


@pytest.mark.parametrize("packed", [False, True])
def test_a_download_has_an_end(httpserver: HTTPServer, web: Web, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr("forecasting.sources.web.LARGEST_FILE_BYTES", 2**20)
    body = bytes(2**22)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    httpserver.expect_request("/a.csv").respond_with_data(gzip.compress(body) if packed else body, headers=headers)
    with pytest.raises(SourceError, match="more than 1,048,576 bytes"), web.download(httpserver.url_for("/a.csv")):
        pass


def test_a_webhook_does_not_lead_on(httpserver: HTTPServer, rude: RudeServer) -> None:
    rude.answers = [LOOT]
    lead(httpserver, f"{rude.url}/x", "/hook")
    with pytest.raises(DeliveryError):
        send(f"json://127.0.0.1:{httpserver.port}/hook", "firing", "subject", "text", None)
    assert len(httpserver.log) == 1
    assert rude.requests == []
