#!/bin/bash
# Runs Redis with the password in BROKER_PASSWORD, which no command line shows.
# Each message is on the disk before the next one is taken: a broker that dies loses none.
set -eu
if [ -z "${BROKER_PASSWORD:-}" ]; then
    echo 'broker: no password; set BROKER_PASSWORD.' >&2
    exit 78
fi
umask 077
printf 'requirepass %s\n' "$BROKER_PASSWORD" >/tmp/broker.conf
exec redis-server /tmp/broker.conf --dir /data --appendonly yes --appendfsync always --save '' \
    --maxmemory-policy noeviction --bind 0.0.0.0
