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

# A course's own mistake, or a machine that runs no notebook, ends the build: not each submission.
trial=$(mktemp -d)
mkdir "$trial/submission"
cat > "$trial/submission/trial.ipynb" <<'JSON'
{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [
 {"cell_type": "code", "metadata": {}, "execution_count": null, "outputs": [], "source": "1"}]}
JSON
echo '{"created_at": "2026-01-01T00:00:00Z", "assignment": {"due_date": null}, "users": []}' \
    > "$trial/submission_metadata.json"
if ! bash ./run_autograder "$trial" || ! grep -q '"tests"' "$trial/results/results.json"; then
    echo "A trial notebook could not be graded, so nothing that is handed in could be: see above." >&2
    exit 1
fi
rm -r "$trial"
