#!/bin/bash
# Makes the stack's databases at PostgreSQL's first start.
# Each has a role of its own that sees no other one.
set -euo pipefail
run_sql() {
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}
make_database() {
    PERENNIAL_PASSWORD=$2 run_sql --set role="$1" <<'SQL'
\set password `printenv PERENNIAL_PASSWORD`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
}
make_database airflow "$PASSWORD_AIRFLOW"
make_database ledger "$PASSWORD_LEDGER"
make_database mlflow "$PASSWORD_MLFLOW"
# MLflow's users stand apart from its runs.
run_sql <<'SQL'
CREATE DATABASE mlflow_auth OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE mlflow_auth FROM PUBLIC;
SQL
