#!/usr/bin/env bash
# Lint, types and tests, with everything they need installed first. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash deploy/install.sh dev,entsoe
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS=1
unset ${!FORTNIGHT_@} ${!PREFECT_@} ${!MLFLOW_@} # tests set their own
ruff check --quiet .
ruff format --check --quiet .
mypy
python -m pip check
exec python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
