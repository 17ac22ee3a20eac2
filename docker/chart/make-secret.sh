#!/bin/bash
# Makes the Secrets that the chart needs, with new passwords and keys, for PostgreSQL inside.
# `make-secret.sh NAMESPACE NAME RELEASE` makes NAME,
# and NAME-steps with what the pods of steps may know.
# RELEASE is the name that `helm install` gets. What is there is left as it is.
# The key to the bucket is taken from the environment, by the variables below, if they are set.
# One of Google is the text of its file: GOOGLE_SERVICE_ACCOUNT_KEY="$(cat key.json)".
# With PostgreSQL outside, NAME needs airflow-database, ledger-database, mlflow-database and
# mlflow-auth-database: SQLAlchemy URLs: postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE.
set -euo pipefail
umask 077
namespace=${1:?the namespace}
name=${2:?the name of the Secret}
release=${3:?the name of the release}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/all" "$folder/steps"
for secret in "$name" "$name-steps"; do
    if kubectl -n "$namespace" get secret "$secret" >/dev/null 2>&1; then
        echo "The Secret $secret is there already; nothing is made." >&2
        exit 0
    fi
done
for entry in airflow-admin airflow-api airflow-jwt mlflow-admin mlflow-flask broker \
    postgres postgres-airflow postgres-ledger postgres-mlflow; do
    openssl rand -hex 24 | tr -d '\n' >"$folder/all/$entry"
done
openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n' >"$folder/all/airflow-fernet"
openssl rand -base64 32 | tr -d '\n' >"$folder/all/signing"
cp "$folder/all/mlflow-admin" "$folder/steps/MLFLOW_TRACKING_PASSWORD"
cp "$folder/all/signing" "$folder/steps/PERENNIAL_SIGNING_KEY"
printf 'postgresql+psycopg2://ledger:%s@%s-postgres/ledger' \
    "$(cat "$folder/all/postgres-ledger")" "$release" >"$folder/steps/PERENNIAL_LEDGER_URL"
for variable in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN \
    GOOGLE_SERVICE_ACCOUNT_KEY AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_SAS_TOKEN \
    AZURE_TENANT_ID AZURE_CLIENT_ID AZURE_CLIENT_SECRET; do
    [ -z "${!variable:-}" ] || printf %s "${!variable}" >"$folder/steps/$variable"
done
# By files: an argument would be seen in the list of processes.
kubectl -n "$namespace" create secret generic "$name" --from-file="$folder/all"
kubectl -n "$namespace" create secret generic "$name-steps" --from-file="$folder/steps"
