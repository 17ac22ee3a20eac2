#!/bin/sh
# Makes .venv-spark from locked requirements, and again only when the lock changed.
# Usage: sh tools/spark_venv.sh REQUIREMENTS
# PySpark comes as sources alone: to build it, uv takes setuptools from the index for that moment.
set -eu

lock=$1
stamp=.venv-spark/.installed
sum=$(cksum <"$lock" | tr ' ' '-')
[ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && exit 0

command -v java >/dev/null 2>&1 ||
    echo "Spark needs Java 17 or 21, which is not here (Debian: openjdk-17-jre-headless)." >&2
echo "Making .venv-spark (about 850 MB) …"
rm -rf .venv-spark
export UV_PYTHON_DOWNLOADS=never
.venv/bin/uv venv -q --python .venv/bin/python .venv-spark
.venv/bin/uv pip install -q --python .venv-spark/bin/python \
    --require-hashes --compile-bytecode -r "$lock"
echo "$sum" >"$stamp"
