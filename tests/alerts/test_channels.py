"""Messages as receivers get them, and failures that tell no secrets."""

import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from forecasting.alerts.channels import redacted, send
from forecasting.errors import DeliveryError
from tests.alerts.conftest import Mailbox

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "drift.png"
    path.write_bytes(PIXEL)
    return str(path)


@pytest.fixture
def overheard() -> Iterator[StringIO]:
    """What comes into the log of a service at its usual level."""
    text, root = StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    handler.addFilter(lambda record: not record.name.startswith("werkzeug"))  # the receiver's own log
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_mail_has_subject_text_and_the_picture(mailbox: Mailbox, picture: str) -> None:
    send(mailbox.url, "firing", "[fortnight] PAGE vic: readings are stale", "What: 50 hours old\nSince: yesterday <now>", picture)
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[fortnight] PAGE vic: readings are stale"
    assert mail["To"] == "ops@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "What: 50 hours old\nSince: yesterday <now>" in body.get_content().replace("\r\n", "\n")
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("drift.png", PIXEL)


def test_a_picture_that_is_gone_does_not_keep_the_mail(mailbox: Mailbox, tmp_path: Path) -> None:
    send(mailbox.url, "resolved", "subject", "text", str(tmp_path / "gone.png"))
    assert list(mailbox.mails[0].iter_attachments()) == []


def test_a_webhook_gets_title_and_body(webhook: str, httpserver: HTTPServer) -> None:
    got: list[dict[str, object]] = []

    def answer(request: Request) -> Response:
        got.append(request.get_json())
        return Response(status=200)

    httpserver.expect_request("/hooks/sesame-token", method="POST").respond_with_handler(answer)
    send(webhook, "firing", "subject", "line one\nline two", None)
    assert (got[0]["title"], got[0]["message"], got[0]["type"]) == ("subject", "line one\nline two", "failure")


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_tells_its_reason_and_no_secret(
    webhook: str, httpserver: HTTPServer, status: int, overheard: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/hooks/sesame-token").respond_with_data("no sesame-token here", status=status)
    with pytest.raises(DeliveryError, match=rf"{status}|[Ff]orbidden|[Ss]erver") as caught:
        send(webhook, "firing", "subject", "text", None)
    seen = capfd.readouterr()
    for text in (str(caught.value), overheard.getvalue(), seen.out, seen.err):
        assert "sesame" not in text
    assert "fortnight notify --test" in caught.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        "json://me:sesame@127.0.0.1:9/sesame?cto=1",
        "mailto://me:sesame@127.0.0.1:9?to=sesame@example.org&from=a@example.org&mode=insecure",
        "sesame://sesame/sesame",
        "sesame",
        "slack://sesame/sesame",
        "",
    ],
)
def test_what_cannot_be_reached_or_understood_tells_no_secret(
    address: str, overheard: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(address, "firing", "subject", "text", None)
    seen = capfd.readouterr()
    for text in (str(caught.value), overheard.getvalue(), seen.out, seen.err):
        assert "sesame" not in text
    assert caught.value.problem


def test_a_mail_server_that_refuses_is_a_failure(mailbox: Mailbox) -> None:
    mailbox.answer = "451 come back later"
    with pytest.raises(DeliveryError):
        send(mailbox.url, "firing", "subject", "text", None)


def test_no_part_of_an_address_is_told() -> None:
    address = "slack://botname@tokenA/tokenB/token%20C?channel=secretroom&to=x"
    text = "POST https://hooks/tokenA/tokenB failed for botname: token C and token%20C in secretroom; slack said no"
    assert redacted(text, address) == "POST https://hooks/***/*** failed for ***: *** and *** in ***; slack said no"
