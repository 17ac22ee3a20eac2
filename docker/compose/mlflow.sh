#!/bin/bash
# Starts MLflow with its users in a database of their own.
# The file with that database's address is in memory only.
set -euo pipefail
umask 077
cat >/tmp/auth.ini <<INI
[mlflow]
default_permission = READ
database_uri = $MLFLOW_AUTH_DATABASE
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
grant_default_workspace_access = false
# Passwords are hashed slowly on purpose; every request of a run shows one.
auth_cache_ttl_seconds = 60
INI
export MLFLOW_AUTH_CONFIG_PATH=/tmp/auth.ini
unset MLFLOW_AUTH_DATABASE
artifacts="${PERENNIAL_ARTIFACTS:-/mlflow/artifacts}"
# Where the store is in a bucket, artifacts lie there too.
case "${PERENNIAL_STORE:-}" in s3://*)
    artifacts="$(printf '%b' "${PERENNIAL_STORE//%/\\x}")"  # as it is, without %20
    artifacts="${artifacts%/}/mlflow"
    export AWS_DEFAULT_REGION="${PERENNIAL_STORE_REGION:-us-east-1}"
    if [ -n "${PERENNIAL_STORE_ENDPOINT:-}" ]; then
        export MLFLOW_S3_ENDPOINT_URL="$PERENNIAL_STORE_ENDPOINT"
    fi
    if [ -s /run/store-ca.pem ]; then
        export AWS_CA_BUNDLE=/run/store-ca.pem
    fi
    if [ -n "${PERENNIAL_STORE_ENCRYPTION:-}" ]; then
        asked="\"ServerSideEncryption\": \"$PERENNIAL_STORE_ENCRYPTION\""
        key="${PERENNIAL_STORE_KMS_KEY:+, \"SSEKMSKeyId\": \"$PERENNIAL_STORE_KMS_KEY\"}"
        export MLFLOW_S3_UPLOAD_EXTRA_ARGS="{$asked$key}"
    fi ;;
esac
exec mlflow server --app-name basic-auth --host 0.0.0.0 --port 5000 --workers 1 \
    --serve-artifacts --artifacts-destination "$artifacts"
