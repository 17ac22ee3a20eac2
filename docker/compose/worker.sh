#!/bin/bash
# Runs a worker, which takes tasks from the broker; its logs are read over port 8793.
if [ "${PERENNIAL_EXECUTOR:-local}" != celery ]; then
    echo 'worker: the scheduler does its tasks itself. Set PERENNIAL_EXECUTOR=celery.' >&2
    exit 78
fi
exec airflow celery worker --queues "${PERENNIAL_QUEUES:-default}" --pid /tmp/worker.pid \
    --without-mingle --without-gossip
