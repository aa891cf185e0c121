#!/usr/bin/env bash
# Sets everything up in this checkout and runs the daily flow; a second call reuses it all.
# Arguments go to the flow: --source csv --path FILE --as-of DATE. Without any, the demand is simulated.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bash "$here/deploy/install.sh"
"$here/.venv/bin/python" -m flows daily "$@"
cat <<EOF
look further:
  status   $here/.venv/bin/fortnight status     how fresh and complete everything is
  SQL      $here/.venv/bin/fortnight psql
  models   $here/.venv/bin/fortnight mlflow     then open http://127.0.0.1:5000
  runs     $here/.venv/bin/fortnight prefect    then open http://127.0.0.1:4200
  daily    $here/.venv/bin/fortnight serve      from now on, with a page on http://127.0.0.1:4300
  stop     $here/.venv/bin/fortnight stop       Postgres keeps running until then
EOF
