"""Fail when fewer branches are covered than asked: ``branch_coverage.py REPORT.json PERCENT``.

``--cov-fail-under`` counts lines and branches together, and lines hide missing branches.
"""

import json
import sys
from pathlib import Path


def main(report: str, least: str) -> int:
    totals = json.loads(Path(report).read_text(encoding="utf-8"))["totals"]
    covered, all_of_them = totals["covered_branches"], totals["num_branches"]
    percent = 100 * covered / all_of_them if all_of_them else 100.0
    print(f"branches covered: {covered} of {all_of_them} = {percent:.1f} % (at least {least} %)")
    return 0 if percent >= float(least) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
