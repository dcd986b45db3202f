#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image: install the grader that lies beside it.
set -euo pipefail
cd "$(dirname "$0")"
root=${AUTOGRADER_ROOT:-/autograder}

suits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for each in python3.13 python3.12 python3.11 python3; do
    if suits "$each"; then python=$each; break; fi
done
if [ -z "$python" ]; then
    apt-get update -qq
    apt-get install -y -qq python3.11 python3.11-venv
    python=python3.11
fi

"$python" -m venv "$root/grader-env"
"$root/grader-env/bin/python" -m pip install -q ./grader-*.whl
chmod -R go-rwx .    # the reference and the hidden seed are for the autograder alone
"$root/grader-env/bin/grader" doctor || echo "Not every layer of isolation holds here: see above."
