"""Adds up what the tests of both languages said, in one closing line."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

BUILD = Path(__file__).parent.parent / "build"


def main() -> int:
    passed = failed = skipped = 0
    for line in (BUILD / "rust-tests.log").read_text().splitlines():
        found = re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line)
        if found:
            passed += int(found[1])
            failed += int(found[2])
            skipped += int(found[3])
    for report in sorted(BUILD.glob("python-tests*.xml")):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            left_out = int(suite.get("skipped", 0))
            passed += int(suite.get("tests", 0)) - bad - left_out
            failed += bad
            skipped += left_out
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
