#!/bin/bash
# Makes the database cluster at the first start.
# It has the variables and the folder of scripts that the official image has:
# POSTGRES_USER, POSTGRES_PASSWORD_FILE (or POSTGRES_PASSWORD), POSTGRES_DB,
# /docker-entrypoint-initdb.d/*.sh and *.sql in order.
# A cluster gets its name when it is complete: a first start that broke off begins anew,
# and nothing complete is ever removed.
set -euo pipefail
umask 077
folder=/var/lib/postgresql/data
cluster=$folder/15
making=$folder/15.making
export PGHOST=/tmp PGUSER=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$PGUSER}

password() {
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        cat "$POSTGRES_PASSWORD_FILE"
    else
        printf %s "${POSTGRES_PASSWORD:-}"
    fi
}

make_cluster() {
    if [ -z "$(password)" ]; then
        echo 'postgres: no password; set POSTGRES_PASSWORD_FILE.' >&2
        exit 78
    fi
    rm -rf "$making"
    initdb --pgdata="$making" --username="$PGUSER" --pwfile=<(password) \
        --auth-local=trust --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    # Over the network everybody shows a password; the socket is in this container's own /tmp.
    echo 'host all all all scram-sha-256' >>"$making/pg_hba.conf"
    pg_ctl start --pgdata="$making" --silent --wait \
        --options="-c listen_addresses='' -c unix_socket_directories=/tmp"
    [ "$database" = postgres ] || createdb "$database"
    export PGDATABASE=$database POSTGRES_USER=$PGUSER POSTGRES_DB=$database
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) bash "$script" ;;
            *.sql) psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --file "$script" ;;
        esac
    done
    pg_ctl stop --pgdata="$making" --silent --wait --mode fast
    mv "$making" "$cluster"
}

if [ "${1:-}" != postgres ]; then exec "$@"; fi
if [ -e "$folder/PG_VERSION" ]; then
    echo "postgres: $folder holds the database of another image." >&2
    echo "Set POSTGRES_IMAGE to that one, or move its data here by pg_dump." >&2
    exit 78
fi
[ -e "$cluster" ] || make_cluster
shift
exec postgres -D "$cluster" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
