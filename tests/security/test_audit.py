"""The audit of dependencies: what it says of a service that knows something, nothing, or does not answer."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.feeds.conftest import RudeServer

CHECKOUT = Path(__file__).resolve().parents[2]
KNOWN = {
    "id": "GHSA-test-0001",
    "aliases": ["CVE-2099-1"],
    "summary": "made up",
    "affected": [
        {
            "package": {"name": "requests", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9.9"}]}],
        }
    ],
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("idna==3.10\n    # via requests\nrequests==2.32.0\ncolorama==0.4.6 ; sys_platform == 'win32'\n")
    return path


def audit(lock: Path, url: str, **more: str) -> tuple[int, str]:
    """The script as CI runs it, with a service of ours instead of the world's."""
    told = {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": url, "NO_PROXY": "*", **more}
    command = ["bash", str(CHECKOUT / "deploy" / "audit.sh"), str(lock)]
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def answer(request: Request) -> Response:
    asked = request.get_json(force=True)
    found = {"vulns": [KNOWN]} if asked["package"]["name"] == "requests" else {}
    return Response(json.dumps(found), content_type="application/json")


def test_a_known_vulnerability_is_told_with_its_remedy(httpserver: HTTPServer, lock: Path) -> None:
    httpserver.expect_request("/query").respond_with_handler(answer)
    code, told = audit(lock, httpserver.url_for("/query"))
    assert code == 1
    assert "requests 2.32.0: CVE-2099-1, fixed in 9.9.9\n" in told
    assert "1 known vulnerabilities; raise the version: bash deploy/lock.sh --upgrade" in told
    assert "Traceback" not in told


def test_packages_without_any_are_counted(httpserver: HTTPServer, lock: Path) -> None:
    httpserver.expect_request("/query").respond_with_json({})
    assert audit(lock, httpserver.url_for("/query")) == (0, "dependency audit: no known vulnerabilities in 2 packages\n")


@pytest.mark.parametrize("service", ["closed", "broken", "no json", "mute"])
def test_a_service_that_does_not_answer_is_one_clear_line(
    httpserver: HTTPServer, rude: RudeServer, lock: Path, service: str
) -> None:
    httpserver.expect_request("/broken").respond_with_data("", status=500)
    rude.answers = [[30.0]] if service == "mute" else [[b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"]]
    started = time.monotonic()
    urls = {"closed": "http://127.0.0.1:9/query", "broken": httpserver.url_for("/broken")}
    code, told = audit(lock, urls.get(service, rude.url))
    assert code == 0
    assert told.startswith("dependency audit skipped: no vulnerability service can be reached")
    assert told.count("\n") == 1
    assert time.monotonic() - started < 20


def test_a_service_that_knows_nothing_is_one_clear_line(tmp_path: Path) -> None:
    """As pip-audit reports it where an index has the packages but no data of their vulnerabilities."""
    why = "Dependency not found on PyPI and could not be audited: idna (3.10)"
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"dependencies": [{"name": "idna", "skip_reason": why}], "fixes": []}))
    command = [sys.executable, str(CHECKOUT / "deploy" / "audit.py"), str(report)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (
        0,
        "dependency audit skipped: the vulnerability service knows none of the 1 packages\n",
    )


def test_a_lock_that_cannot_be_read_is_no_reason_to_skip(tmp_path: Path, lock: Path) -> None:
    lock.write_text("idna=3.10\n")
    for path in (tmp_path / "gone.lock", lock):
        code, told = audit(path, "http://127.0.0.1:9/query")
        assert code == 2, told
        assert "cannot be audited" in told
