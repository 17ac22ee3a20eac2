#!/bin/bash
# Runs Airflow's scheduler.
# One whose task queue is stuck ends with 75 (plugins/perennial_airflow/executor.py).
# It is started again in this container, where tasks at work go on;
# with the container they would end.
set -u
scheduler=
trap '[ -z "$scheduler" ] || kill -TERM "$scheduler"' TERM INT
while true; do
    airflow scheduler --skip-serve-logs &
    scheduler=$!
    wait "$scheduler"
    code=$?
    while kill -0 "$scheduler" 2>/dev/null; do  # a signal ended the wait, not the scheduler
        wait "$scheduler"
        code=$?
    done
    [ "$code" = 75 ] || exit "$code"
done
