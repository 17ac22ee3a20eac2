#!/bin/bash
# Makes the stack's databases at PostgreSQL's first start, each with a role of its own that sees no other one.
set -euo pipefail
made() {
    PERENNIAL_PASSWORD=$2 psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set role="$1" <<'SQL'
\set password `printenv PERENNIAL_PASSWORD`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
}
made airflow "$PASSWORD_AIRFLOW"
made ledger "$PASSWORD_LEDGER"
made mlflow "$PASSWORD_MLFLOW"
# MLflow's users stand apart from its runs.
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE DATABASE mlflow_auth OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE mlflow_auth FROM PUBLIC;
SQL
