#!/usr/bin/env bash
# bash deploy/install.sh [EXTRAS]: a virtual environment in .venv with the locked packages and fortnight itself.
# Does nothing where that was done before with the same lock. EXTRAS: dev, dask, or both with a comma between them.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-}
umask 022 # root's Postgres runs under another account, which must be able to read its own binaries

python=
for name in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3.14; do
  if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  echo "error: no Python 3.11 or later found; install one, or name it: PYTHON=/path/to/python3 bash $0" >&2
  exit 2
fi

wanted=$(cat deploy/requirements.lock pyproject.toml | cksum)
if [ -f .venv/installed ]; then
  had=$(sed -n 1p .venv/installed) had_extras=$(sed -n 2p .venv/installed)
  missing=
  for extra in ${extras//,/ }; do
    case ",$had_extras," in *",$extra,"*) ;; *) missing=yes ;; esac
  done
  [ "$had" = "$wanted" ] && [ -z "$missing" ] && exit 0
  extras=$(printf "%s\n" ${extras//,/ } ${had_extras//,/ } | sort -u | paste -sd, -)
  rm .venv/installed
fi

if ! [ -x .venv/bin/pip ]; then
  if ! "$python" -m venv --clear .venv; then
    echo "error: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
    exit 2
  fi
fi

pip=(.venv/bin/python -m pip --disable-pip-version-check install)
total=$(grep -c == deploy/requirements.lock)
echo "installing the locked packages into .venv (2 GB, or 6 GB with CUDA; some minutes the first time)"
show() { # pip's own report, as one line that counts
  local count=0 line
  while IFS= read -r line; do
    case $line in
      Collecting*) count=$((count + 1)) && [ -t 1 ] && printf '\r  %d packages found, at most %d to go ' "$count" "$((total - count))" ;;
      Installing*) [ -t 1 ] && printf '\r  installing %d packages                    ' "$count" ;;
    esac
  done
  [ -t 1 ] && printf '\r%60s\r' ''
  return 0
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() { "${pip[@]}" "$@" 2>"$log" | show || { tail -n 5 "$log" >&2 && echo "error: the installation failed; see above" >&2 && exit 1; }; }
run -r <(grep -E '^(hatchling|editables)==' deploy/requirements.lock)
run --no-build-isolation --constraint deploy/requirements.lock --editable ".${extras:+[$extras]}"
printf '%s\n%s\n' "$wanted" "$extras" >.venv/installed
