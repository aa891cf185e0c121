"""What every benchmark needs."""

import sys
from collections.abc import Callable

import pytest

Print = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Print:
    """Prints a line past pytest, on one of its own."""

    def tell(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {line}")

    return tell
