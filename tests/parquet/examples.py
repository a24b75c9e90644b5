"""Runs the examples of docs/parquet.md on a run's file.

An example is a block of SQL or Python followed by a block of text, its output. They run in the run's
folder, as a reader of the page would run them.
"""

import contextlib
import io
import os
import re
import traceback
from pathlib import Path

import duckdb

EXAMPLE = re.compile(r"```(sql|python)\n(?P<code>.*?)```\n\n```text\n(?P<output>.*?)```", re.DOTALL)


def run(page: Path, parquet: Path, update: bool) -> list[str]:
    """Runs every example of `page`; the answer is what failed."""
    faults: list[str] = []
    text = page.read_text(encoding="utf-8")
    home = Path.cwd()
    os.chdir(parquet.parent)
    try:
        renewed = EXAMPLE.sub(lambda match: renew(match, parquet.name, faults, update), text)
    finally:
        os.chdir(home)
    if update and not faults:
        page.write_text(renewed, encoding="utf-8")
    return faults


def renew(match: re.Match, name: str, faults: list[str], update: bool) -> str:
    """The example with its output of now."""
    code = match["code"].replace("profile_export.parquet", name)
    try:
        output = run_sql(code) if match[1] == "sql" else run_python(code)
    except Exception:
        faults.append(f"an example of the docs fails:\n{code}{traceback.format_exc(limit=0)}")
        return match[0]
    if not update:
        print(f"\n{code.rstrip()}\n\n{output.rstrip()}")
    return f"```{match[1]}\n{match['code']}```\n\n```text\n{output.rstrip()}\n```"


def run_sql(code: str) -> str:
    return str(duckdb.sql(code))


def run_python(code: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, {})  # the page is ours
    return output.getvalue()
