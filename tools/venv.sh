#!/bin/sh
# Makes .venv from locked requirements, with bytecode compiled, and again only when a lock changed.
# Where pyproject.toml alone changed, Perennial itself is installed again: a second or two.
# Usage: sh tools/venv.sh REQUIREMENTS… -- PYTHON…
# The first PYTHON that is 3.11 to 3.13 is used. Through a link nothing is installed.
set -eu

locks=
while [ "$1" != -- ]; do locks="$locks $1"; shift; done
shift

# A larger environment serves for a smaller one: the stamp of each lock is kept apart.
sum() { cat "$1" requirements-tools.txt | cksum | tr ' ' '-'; }
stamp() { echo ".venv/.installed-$1"; }
missing=
stale=
for lock in $locks; do
    [ "$(cat "$(stamp "$lock")" 2>/dev/null)" = "$(sum "$lock")" ] || missing=yes
done
[ "$(cat "$(stamp itself)" 2>/dev/null)" = "$(sum pyproject.toml)" ] || stale=yes
[ -n "$missing$stale" ] || exit 0
if [ -h .venv ]; then
    echo ".venv is a link to $(readlink .venv), and has not what this checkout is to have." >&2
    echo "Installing that there would change what another checkout runs. Make one of its own:" >&2
    echo "rm .venv, and the same command again. Or run make where that environment belongs." >&2
    exit 65
fi
export UV_PYTHON_DOWNLOADS=never
install() { .venv/bin/uv pip install -q --python .venv/bin/python "$@"; }
install_itself() {
    install --no-deps --no-build-isolation --config-setting editable_mode=compat -e .
    sum pyproject.toml > "$(stamp itself)"
}
if [ -z "$missing" ]; then
    install_itself
    exit 0
fi

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
version_of='import platform; print(platform.python_version())'
python=
seen=
if [ -x .venv/bin/python ] && .venv/bin/python -c "$fits" 2>/dev/null; then
    python=.venv/bin/python
else
    for candidate in "$@"; do
        if ! version=$("$candidate" -c "$version_of" 2>/dev/null); then
            seen="$seen $candidate (not there)"
            continue
        fi
        if "$candidate" -c "$fits"; then python=$candidate; break; fi
        seen="$seen $candidate ($version)"
    done
    if [ -z "$python" ]; then
        echo "Perennial needs Python 3.11, 3.12 or 3.13. Found:$seen." >&2
        echo "Install one of them, or say where it is: make PYTHON=/path/to/python3.12" >&2
        exit 65
    fi
    echo "Making .venv with $("$python" --version) …"
    rm -rf .venv
    "$python" -m venv .venv
fi

.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip -q
.venv/bin/python -m pip install -q --disable-pip-version-check \
    --require-hashes -r requirements-tools.txt
echo "Installing locked packages (about 2 GB; a few minutes the first time) …"
arguments=
for lock in $locks; do arguments="$arguments -r $lock"; done
# shellcheck disable=SC2086 -- the arguments are words on purpose
install --require-hashes --compile-bytecode $arguments
install_itself
for lock in $locks; do sum "$lock" > "$(stamp "$lock")"; done
