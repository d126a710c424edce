#!/usr/bin/env bash
# count-tests.sh FILE.xml...: "PASSED FAILED SKIPPED" over JUnit files (Swift Testing's, pytest's).
# Files that are not there count nothing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

python=$VENV/bin/python
[ -x "$python" ] || python=python3
exec "$python" - "$@" <<'PYTHON'
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
for name in sys.argv[1:]:
    if not pathlib.Path(name).is_file():
        continue
    try:
        root = ElementTree.parse(name).getroot()
    except ElementTree.ParseError:
        failed += 1  # the runner died while it wrote
        continue
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
print(passed, failed, skipped)
PYTHON
