#!/bin/sh
# Finds a Python that is new enough and hands over to setup.py; says what to install where there is none.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

found=
for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python3.14; do
    # A name may be there and still not run (version managers leave such shims), so each is tried.
    "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    found=$candidate
    if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        exec "$candidate" "$here/setup.py" "$@"
    fi
done

if [ -n "$found" ]; then
    echo "setup: $found has no 'venv' module with pip, which Debian and Ubuntu package apart." >&2
    echo "       Install it (apt install python3-venv) and run make again." >&2
else
    echo "setup: no Python 3.11 or later was found; python3 is $(python3 --version 2>/dev/null || echo 'not there')." >&2
    echo "       Install one (apt install python3.11 python3.11-venv, brew install python@3.12, pyenv install 3.12)," >&2
    echo "       or name it: make setup PYTHON=/path/to/python3.12" >&2
fi
exit 1
