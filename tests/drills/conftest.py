"""One workshop for the drills of a file: the first daily run is done once."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from forecasting.drills.workshop import Workshop


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    made = Workshop(datetime.now(UTC))
    yield made
    made.close()
