#!/usr/bin/env bash
# Lint, types, known vulnerabilities and tests, with everything they need installed first. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash deploy/install.sh dev,entsoe
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS=1
unset ${!FORTNIGHT_@} ${!PREFECT_@} ${!MLFLOW_@} # tests set their own
told=$(mktemp)
trap 'rm -f "$told"' EXIT
bash deploy/audit.sh >"$told" 2>&1 & # it mostly waits for answers
audit=$!
ruff check --quiet .
ruff format --check --quiet .
mypy
python -m pip check
tests=0 audited=0
python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@" || tests=$?
wait "$audit" || audited=$?
cat "$told"
exit $((tests ? tests : audited))
