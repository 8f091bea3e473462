#!/usr/bin/env bash
# Runs once, when Gradescope builds the image: installs the grader and what it needs.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
python=python3
if ! python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))'; then
    apt-get update
    apt-get install -y --no-install-recommends python3.11 python3.11-venv
    python=python3.11
fi
"$python" -I -m venv "$root/convgrader"
"$root/convgrader/bin/pip" install --index-url https://download.pytorch.org/whl/cpu "@TORCH@"
"$root/convgrader/bin/pip" install -r "$root/source/requirements.txt"
site="$("$root/convgrader/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
cp -r "$root/source/grader" "$root/source/convgrader_course" "$site"
chmod -R go-rwx "$root/source" "$site/grader" "$site/convgrader_course"
