#!/usr/bin/env bash
# bash deploy/secrets.sh [FOLDER [DATABASE [MLFLOW]]]: strong random passwords, one file each, and the addresses that hold them.
# FOLDER is deploy/secrets, DATABASE postgres:5432 and MLFLOW mlflow:5000, as deploy/compose.yaml has them. A password that is there
# stays; delete its file to get a new one, and run deploy/databases.sh again.
set -euo pipefail
folder=${1:-$(cd "$(dirname "$0")" && pwd)/secrets} database=${2:-postgres:5432} mlflow=${3:-mlflow:5000}

# Only the folder's owner gets at the files. In a container each is mounted by itself and read by an account that does not exist here:
# so the folder keeps others out, and not the modes of the files.
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

put() { # NAME: what is read becomes the file, whole or not at all
  cat >"$1.new"
  chmod 444 "$1.new"
  mv -f "$1.new" "$1"
}
for name in postgres_password owner_password writer_password mlflow_password prefect_password fortnight_serve__password; do
  [ -s "$name" ] || od -An -vtx1 -N24 /dev/urandom | tr -d ' \n' | put "$name"
done

address() { # SCHEME ROLE PASSWORD_FILE DATABASE
  printf '%s://%s:%s@%s/%s' "$1" "$2" "$(<"$3")" "$database" "$4"
}
address postgresql fortnight owner_password fortnight | put owner_database_url
address postgresql service writer_password fortnight | put fortnight_database_url
address postgresql+psycopg mlflow mlflow_password mlflow | put fortnight_serve__mlflow_database_url
address postgresql+asyncpg prefect prefect_password prefect | put fortnight_serve__prefect_database_url
printf 'http://fortnight:%s@%s' "$(<fortnight_serve__password)" "$mlflow" | put fortnight_mlflow_tracking_uri
[ -e fortnight_serve__heartbeat_url ] || put fortnight_serve__heartbeat_url </dev/null # filled in by hand; empty: no heartbeat
echo "secrets are in $PWD"
