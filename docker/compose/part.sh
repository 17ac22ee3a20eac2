#!/bin/bash
# Health of a part of Airflow that has no port.
# `part.sh NAME` succeeds when the API server saw its heartbeat.
exec 3<>/dev/tcp/airflow/8080 || exit 1
printf 'GET /api/v2/monitor/health HTTP/1.0\r\nHost: airflow\r\n\r\n' >&3
answer=$(timeout 4 cat <&3)
[[ $answer =~ \"$1\":\{[^}]*\"status\":\"healthy\" ]]
