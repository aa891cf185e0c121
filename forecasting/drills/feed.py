"""A feed of invented readings over HTTP on loopback, which can be late, down, or wrong."""

import threading
from collections.abc import Mapping
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


class Feed:
    """Serves PATHS from `since` up to `present`, as a real feed has nothing of the future.

    Attributes:
        present: the true time: what has not ended by then is not delivered.
        status: what to answer instead of readings, by path.
    """

    def __init__(self, series: Series, since: datetime, until: datetime, port: int = 0) -> None:
        self.series, self.since, self.until, self.present = series, since, until, until
        self.status: dict[str, int] = {}
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = feed.body(self.path)
                self.send_response(feed.status.get(self.path, 404 if body is None else 200))
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                if body is not None and self.path not in feed.status:
                    self.wfile.write(body)

            def handle(self) -> None:
                with suppress(ConnectionError):  # whoever asked was killed
                    super().handle()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """From now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()

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
