"""One world for all tests of the page: it is only read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forecasting.page import create_app
from forecasting.settings import Settings, load_settings
from forecasting.store.reader import Reader
from tests.page.world import NOW, Seen, seen_by_a_reader, served


@pytest.fixture(scope="session")
def seen() -> Iterator[Seen]:
    with seen_by_a_reader() as world:
        yield world


@pytest.fixture(scope="session")
def page_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=Path(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def site(seen: Seen, page_settings: Settings) -> Iterator[str]:
    """The address of the page over the world, on the morning of its last day."""
    with served(create_app(Reader(seen.reader), page_settings, lambda: NOW)) as address:
        yield address
