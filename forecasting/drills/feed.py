"""A feed of invented readings over HTTP on loopback, which can be late, down, or wrong."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd

from forecasting.domain import Quantity, Series
from forecasting.sources.simulated import SimulatedSource
from forecasting.sources.web import Web

DEMAND, WEATHER = "/demand.csv", "/weather.csv"
PATHS: Mapping[str, Quantity] = {DEMAND: Quantity.DEMAND, WEATHER: Quantity.TEMPERATURE}
HEADERS = {Quantity.DEMAND: "interval_start,demand_mwh", Quantity.TEMPERATURE: "interval_start,temperature_c"}


class Server:
    """A server on loopback, in a thread of this process."""

    def __init__(self, answer: Callable[[str], tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                self.wfile.write(body)

            def handle(self) -> None:
                with suppress(ConnectionError):  # whoever asked was killed
                    super().handle()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """From now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()


class Receiver(Server):
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        super().__init__(self._count)

    def _count(self, _path: str) -> tuple[int, bytes]:
        self.asked += 1
        return 200, b""


class Feed(Server):
    """Serves PATHS from `since` up to `present`, as a real feed has nothing of the future.

    Attributes:
        present: the true time: what has not ended by then is not delivered.
        status: what to answer instead of readings, by path.
    """

    def __init__(self, series: Series, since: datetime, until: datetime) -> None:
        self.series, self.since, self.until, self.present = series, since, until, until
        self.status: dict[str, int] = {}
        super().__init__(self._answer)

    def _answer(self, path: str) -> tuple[int, bytes]:
        body = self.body(path)
        status = self.status.get(path, 404 if body is None else 200)
        return status, body if body is not None and status == 200 else b""

    def body(self, path: str) -> bytes | None:
        """The table at a path, up to the present."""
        if path not in PATHS:
            return None
        table = invented(self.series, self.since, self.until)[PATHS[path]]
        length = self.series.interval
        rows = table[table["interval_start"] + length <= self.present]
        lines = (f"{start:%Y-%m-%dT%H:%MZ},{value}" for start, value in zip(rows["interval_start"], rows["value"], strict=True))
        return "\n".join([HEADERS[PATHS[path]], *lines, ""]).encode()


@cache
def invented(series: Series, since: datetime, until: datetime) -> Mapping[Quantity, pd.DataFrame]:
    """Readings of a stretch, by quantity."""
    found: dict[Quantity, list[pd.DataFrame]] = {}
    for batch in SimulatedSource(Web()).read(series, since, until):
        found.setdefault(batch.quantity, []).append(batch.readings)
    return {quantity: pd.concat(parts, ignore_index=True) for quantity, parts in found.items()}
