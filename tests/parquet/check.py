#!/usr/bin/env python3
"""Checks a run's profile_export.parquet as its users will read it: with DuckDB, pyarrow and polars.

    python -m venv /tmp/parquet && /tmp/parquet/bin/pip install -r tests/parquet/requirements.txt
    /tmp/parquet/bin/python tests/parquet/check.py RUN_FOLDER

All three must read the same rows; every row must keep the record's promises and equal its line in
profile_export.jsonl, value for value; and every example in docs/parquet.md must run. The examples'
output is printed, or with --update-docs put into that page. The exit code is 0 when all of it holds.
"""

import argparse
import sys
from pathlib import Path

import examples
import readers
import rules

DOCS = Path(__file__).resolve().parents[2] / "docs" / "parquet.md"
SHOWN = 20


def check_rows(parquet: Path, jsonl: Path | None) -> list[str]:
    """Every reader against the rules, and against the first reader."""
    faults, digests = [], {}
    for name, read in readers.READERS.items():
        judge = rules.Judge(rules.read_lines(jsonl) if jsonl else None)
        digests[name] = [judge.take(row) for row in read(parquet)]
        found = [f"{name}: {fault}" for fault in judge.finish()]
        print(f"{name}: {judge.rows} rows, {judge.chunks} chunks, {judge.compared} values compared "
              f"with {judge.lines} JSONL lines, {len(found)} faults")
        faults += found
    first, *others = digests
    for other in others:
        if digests[other] != digests[first]:
            row = next((n for n, pair in enumerate(zip(digests[first], digests[other])) if pair[0] != pair[1]), None)
            faults.append(f"{other} and {first} read different rows, first at row {row}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--prefix", default="profile_export", help="name of the files without their endings")
    parser.add_argument("--update-docs", action="store_true", help="put the examples' output into docs/parquet.md")
    arguments = parser.parse_args()

    parquet = (arguments.run / f"{arguments.prefix}.parquet").resolve()
    jsonl = parquet.with_suffix(".jsonl")
    if not jsonl.exists():
        print(f"{jsonl.name} is not there: rows are checked by themselves")
        jsonl = None
    faults = check_rows(parquet, jsonl)
    faults += examples.run(DOCS, parquet, arguments.update_docs)
    for fault in faults[:SHOWN]:
        print(f"FAULT {fault}", file=sys.stderr)
    if len(faults) > SHOWN:
        print(f"… and {len(faults) - SHOWN} more", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
