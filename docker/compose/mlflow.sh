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
exec mlflow server --app-name basic-auth --host 0.0.0.0 --port 5000 --workers 1 \
    --serve-artifacts --artifacts-destination "${PERENNIAL_ARTIFACTS:-/mlflow/artifacts}"
