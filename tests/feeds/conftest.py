"""Real HTTP servers on loopback: a polite one (pytest-httpserver), and one that says its bytes as it likes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from forecasting.settings import WebSettings
from forecasting.sources.web import Web

QUICK = WebSettings(timeout_s=1.0, total_s=2.0, tries=3, backoff_s=0.05, max_wait_s=3.0)

Piece = bytes | float
"""Bytes to send, or seconds to wait."""


@dataclass
class RudeServer:
    """Answers connection after connection with the next of `answers`, the last one again and again, and hangs up."""

    answers: list[list[Piece]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with self.wrap(connection) as stream:
                self.requests.append(stream.recv(65536))
                for piece in self.answers[: len(self.requests)][-1]:
                    if isinstance(piece, bytes):
                        stream.sendall(piece)
                    else:
                        time.sleep(piece)
        except OSError:
            pass  # the client left


@pytest.fixture
def rude() -> Iterator[RudeServer]:
    server = RudeServer()
    yield server
    server.listener.close()


@pytest.fixture
def web() -> Web:
    """Patient in the same way as in production, but quickly."""
    return Web(QUICK)
