#!/bin/sh
# Starts HAProxy in the foreground.
# The folder /gateway is shared with `deploy`, which writes the routes; the first start finds none.
set -eu
umask 007
routes=/gateway/routes.map
if ! [ -e "$routes" ]; then
    : >"$routes" || {
        echo "gateway: $routes cannot be written by uid $(id -u)." >&2
        echo "Give the folder /gateway to this user." >&2
        exit 73
    }
fi
# Names apart by commas, as the setting has them; haproxy.cfg splits at blanks.
HOSTS=$(printf '%s' "${PERENNIAL_SERVING_HOSTS:-}" | tr 'A-Z,' 'a-z ')
export HOSTS
exec haproxy -db -f /etc/haproxy/haproxy.cfg
