"""Receivers on loopback: a mail server that keeps what it gets, and a webhook."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_httpserver import HTTPServer

from tests.servers import free_ports


@dataclass
class Mailbox:
    """What arrived; `answer` is what the server says to each mail."""

    url: str = ""
    answer: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real SMTP server."""
    box = Mailbox()
    (port,) = free_ports(1)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"mailto://127.0.0.1:{port}?from=fortnight@example.org&to=ops@example.org&mode=insecure"
    yield box
    controller.stop()


@pytest.fixture
def webhook(httpserver: HTTPServer) -> str:
    """The apprise address of a webhook, with a secret in it."""
    return f"json://127.0.0.1:{httpserver.port}/hooks/sesame-token?rto=5"
