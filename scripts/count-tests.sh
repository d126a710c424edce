#!/usr/bin/env bash
# count-tests.sh FILE.xml...: "PASSED FAILED SKIPPED" over JUnit files (Swift Testing's, pytest's),
# then a line for each test that failed: its name and the begin of what it said.
# Files that are not there count nothing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

python=$VENV/bin/python
[ -x "$python" ] || python=python3
exec "$python" - "$@" <<'PYTHON'
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

passed = skipped = 0
failures = []
for name in sys.argv[1:]:
    if not pathlib.Path(name).is_file():
        continue
    try:
        root = ElementTree.parse(name).getroot()
    except ElementTree.ParseError:
        failures.append(f"{name}: unreadable, the runner died while it wrote")
        continue
    for case in root.iter("testcase"):
        failure = next((child for child in case if child.tag in ("failure", "error")), None)
        if failure is not None:
            said = " ".join((failure.get("message") or failure.text or "").split())
            failures.append(f"{case.get('classname')} {case.get('name')}: {said[:300]}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
print(passed, len(failures), skipped)
for failure in failures:
    print(failure)
PYTHON
