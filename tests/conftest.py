"""Real servers for every test: the embedded PostgreSQL, and one from the distribution with TCP and passwords."""

import itertools
import logging
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from structlog.contextvars import clear_contextvars

from forecasting.registry import Registry
from forecasting.settings import Settings, load_settings
from forecasting.store import Store, embedded
from tests.servers import find_postgres_binaries, run_tcp_server

CHECKOUT = Path(__file__).resolve().parents[1]
VICTORIA = CHECKOUT.parent / "shared" / "data" / "vic_elec.csv.gz"
TEMPLATE = "fortnight_template"
numbers = itertools.count()
# Else werkzeug, serving a request between two tests, would make a handler of its own that outlives the stream it writes to.
logging.getLogger("werkzeug").addHandler(logging.NullHandler())


def need(present: object, what: str) -> None:
    """Skip a test whose means are missing here; where nothing may be skipped, fail it."""
    if not present:
        (pytest.fail if os.environ.get("TESTS_MUST_NOT_SKIP") else pytest.skip)(f"needs {what}")


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """What a command that runs in this process does to the log ends with its test."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
    clear_contextvars()


@pytest.fixture(scope="session")
def vic_csv() -> Path:
    """The real half-hourly demand of Victoria, 2012 to 2014."""
    need(VICTORIA.is_file(), f"the file {VICTORIA}")
    return VICTORIA


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder with a path short enough for a Postgres socket; whatever runs in it is stopped."""
    path = Path(tempfile.mkdtemp(prefix="fn-"))
    yield path
    embedded.stop(path)
    shutil.rmtree(path)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server with an account that may create databases."""

    kind: str
    dsn: Callable[[str], str]

    def execute(self, command: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(command)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is close to the database runs on both kinds of server, what stands on the store on the one with passwords."""
    if "server" in metafunc.fixturenames:
        both = "store" in metafunc.definition.path.parent.parts and not metafunc.definition.get_closest_marker("one_server")
        kinds = ("embedded", "tcp") if both else ("tcp",)
        metafunc.parametrize("server", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of one kind; see `pytest_generate_tests`."""
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    if request.param == "embedded":
        dsn = embedded.ensure_running(home)
        yield Server("embedded", lambda database: make_conninfo(dsn, dbname=database))
        embedded.stop(home)
    else:
        binaries = find_postgres_binaries()
        need(binaries, "a PostgreSQL server, 15 or later, from the distribution")
        assert binaries is not None
        with run_tcp_server(binaries, home, password=secrets.token_urlsafe(12)) as address:
            yield Server("tcp", lambda database: make_conninfo(address, dbname=database))
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The name of a migrated, empty database."""
    server.execute(f"CREATE DATABASE {TEMPLATE}")
    Store(server.dsn(TEMPLATE)).connection.close()
    return TEMPLATE


@contextmanager
def database(server: Server, template: str) -> Iterator[str]:
    """A database of the test's own, made from another."""
    name = f"test_{next(numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.dsn(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def dsn(server: Server, template: str) -> Iterator[str]:
    """A migrated database."""
    with database(server, template) as address:
        yield address


@pytest.fixture
def empty_dsn(server: Server) -> Iterator[str]:
    """A database without any of our schema."""
    with database(server, "template1") as address:
        yield address


@pytest.fixture
def store(dsn: str) -> Iterator[Store]:
    with Store(dsn) as opened:
        yield opened


@pytest.fixture(scope="session")
def empty_mlflow() -> Iterator[Path]:
    """An MLflow database without any run; MLflow takes seconds to make one."""
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    Registry(home, None)
    yield home / "mlflow" / "mlflow.db"
    shutil.rmtree(home)


@pytest.fixture
def home(folder: Path, empty_mlflow: Path) -> Path:
    """A state folder with an empty MLflow in it."""
    (folder / "mlflow").mkdir()
    shutil.copy(empty_mlflow, folder / "mlflow")
    return folder


@pytest.fixture
def settings(dsn: str, home: Path) -> Settings:
    """Quick training of few candidates on the test's own database and state folder."""
    candidates = ("weekly_naive", "seq2seq_attention")
    return load_settings(home=home, database_url=dsn, training={"epochs": 2}, model={"candidates": candidates}, git_sha="0" * 40)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server for the whole test run, with a database of its own."""
    home = Path(tempfile.mkdtemp(prefix="fn-"))
    os.environ["PREFECT_HOME"] = str(home)
    import flows  # noqa: F401 - sets Prefect's environment, which is read at its first import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Prefect's own deprecations
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield
    shutil.rmtree(home, ignore_errors=True)
