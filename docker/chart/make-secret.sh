#!/bin/bash
# Makes the Secret that the chart needs, with new passwords and keys, for PostgreSQL inside.
# `make-secret.sh NAMESPACE NAME`. One that is there is left as it is.
# With PostgreSQL outside, add the entries airflow-database, ledger-database, mlflow-database and
# mlflow-auth-database: SQLAlchemy URLs such as postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE.
set -euo pipefail
umask 077
namespace=${1:?the namespace}
name=${2:?the name of the Secret}
if kubectl -n "$namespace" get secret "$name" >/dev/null 2>&1; then
    echo "The Secret $name is there already; it stays as it is." >&2
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for entry in airflow-admin airflow-api airflow-jwt mlflow-admin mlflow-flask broker \
    postgres postgres-airflow postgres-ledger postgres-mlflow; do
    openssl rand -hex 24 | tr -d '\n' >"$folder/$entry"
done
openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n' >"$folder/airflow-fernet"
# By files: an argument would be seen in the list of processes.
kubectl -n "$namespace" create secret generic "$name" --from-file="$folder"
