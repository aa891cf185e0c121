"""python deploy/audit.py REPORT: what a report of pip-audit (JSON) means. Exit code 1 if a package has a known vulnerability."""

import json
import sys
from pathlib import Path
from typing import Any


def judged(report: dict[str, Any]) -> tuple[int, list[str]]:
    """An exit code, and what to print."""
    packages = report["dependencies"]
    audited = [each for each in packages if "skip_reason" not in each]
    if not audited:
        return 0, [f"dependency audit skipped: the vulnerability service knows none of the {len(packages)} packages"]
    found = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, "
        + (f"fixed in {', '.join(vulnerability['fix_versions'])}" if vulnerability["fix_versions"] else "not fixed yet")
        for each in audited
        for vulnerability in each["vulns"]
    ]
    if found:
        remedy = "raise the version: bash deploy/lock.sh --upgrade; or say in deploy/audit.sh why it does not concern us"
        return 1, [*found, f"error: {len(found)} known vulnerabilities; {remedy}"]
    unknown = f", {len(packages) - len(audited)} more are not known there" if len(audited) < len(packages) else ""
    return 0, [f"dependency audit: no known vulnerabilities in {len(audited)} packages{unknown}"]


if __name__ == "__main__":
    code, lines = judged(json.loads(Path(sys.argv[1]).read_text()))
    print(*lines, sep="\n")  # noqa: T201
    sys.exit(code)
