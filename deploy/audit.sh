#!/usr/bin/env bash
# bash deploy/audit.sh [LOCK]: known vulnerabilities of the locked packages, by pip-audit. Exit code 1 if there are any.
# Where no service can be asked, or it knows none of the packages, one line says so, and the exit code is 0.
# PIP_AUDIT_VULNERABILITY_SERVICE=osv asks osv.dev instead of PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=${1:-deploy/requirements.lock}
export PATH="$PWD/.venv/bin:$PATH"
answer_s=5 whole_s=120 # for one answer, which a machine without network waits for once; and for all of them

# What does not concern fortnight, each with the reason: "ID  why", such as
#   "GHSA-xxxx-xxxx-xxxx  only reached by a function that nothing here calls"
ignored=()

skip() {
  echo "dependency audit skipped: $1"
  exit 0
}
command -v pip-audit >/dev/null || skip "pip-audit is not installed (bash deploy/install.sh dev)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=(--disable-pip --no-deps --requirement "$lock" --format json --output "$work/report.json" --timeout "$answer_s")
for each in "${ignored[@]}"; do options+=(--ignore-vuln "${each%% *}"); done
code=0
PIP_AUDIT_PROGRESS_SPINNER=off timeout --kill-after=5 "$whole_s" pip-audit "${options[@]}" >"$work/log" 2>&1 || code=$?
[ "$code" -eq 124 ] && skip "the vulnerability service did not answer for all packages within $whole_s s"
if ! [ -s "$work/report.json" ]; then
  if grep -qiE "requirement|no such file" "$work/log" && ! grep -qE "Connection|Timeout|HTTP" "$work/log"; then
    tail -n 3 "$work/log" >&2
    echo "error: $lock cannot be audited; see above" >&2
    exit 2
  fi
  skip "no vulnerability service can be reached ($(tail -n 1 "$work/log" | cut -c 1-160))"
fi
python deploy/audit.py "$work/report.json"
