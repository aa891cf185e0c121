#!/usr/bin/env bash
# Three databases, each with a login of its own that reaches no other: fortnight, mlflow, prefect. Run by the postgres container when it
# is new, or by hand against a server of yours as a superuser (PGHOST, PGPORT, PGUSER, PGPASSWORD), as often as you like:
#   PGHOST=db.example PGUSER=postgres FORTNIGHT_SECRETS=deploy/secrets bash deploy/databases.sh
# Passwords are files in FORTNIGHT_SECRETS: owner_password, mlflow_password, prefect_password; deploy/secrets.sh makes them.
set -euo pipefail
secrets=${FORTNIGHT_SECRETS:-/run/secrets}
for name in owner mlflow prefect; do
  if ! [ -s "$secrets/${name}_password" ]; then
    echo "error: $secrets/${name}_password is missing or empty; make it with deploy/secrets.sh, or set FORTNIGHT_SECRETS" >&2
    exit 2
  fi
done
export SECRETS=$secrets PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}} PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres <<'SQL'
-- Passwords come from files, never from a command line, and stay out of the server's log whatever it logs.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\set owner_password `cat "$SECRETS/owner_password"`
\set mlflow_password `cat "$SECRETS/mlflow_password"`
\set prefect_password `cat "$SECRETS/prefect_password"`

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['fortnight', 'mlflow', 'prefect']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
-- The owner makes the logins of writers and readers: 'fortnight access'.
ALTER ROLE fortnight LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'owner_password';
ALTER ROLE mlflow LOGIN NOCREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'mlflow_password';
ALTER ROLE prefect LOGIN NOCREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'prefect_password';

SELECT format('CREATE DATABASE %I OWNER %1$I TEMPLATE template0 ENCODING ''UTF8''', name)
FROM unnest(ARRAY['fortnight', 'mlflow', 'prefect']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec
REVOKE ALL ON DATABASE fortnight, mlflow, prefect FROM PUBLIC;
-- A server that holds nothing else keeps all three out of the rest too; on a shared one that is not ours to change.
SELECT 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'fortnight', 'mlflow', 'prefect'))
\gexec
SQL

# Prefect searches by trigrams; the extension is in PostgreSQL's contrib, which every full server has.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname prefect --command 'CREATE EXTENSION IF NOT EXISTS pg_trgm'
echo "databases fortnight, mlflow and prefect are ready"
