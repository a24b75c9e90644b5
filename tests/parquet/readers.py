"""The same rows through three libraries, a batch at a time, as plain dictionaries."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars
import pyarrow.parquet

BATCH = 500
Row = dict[str, object]


def with_duckdb(path: Path) -> Iterator[Row]:
    cursor = duckdb.connect().execute("select * from read_parquet(?)", [str(path)])
    names = [column[0] for column in cursor.description]
    while batch := cursor.fetchmany(BATCH):
        for row in batch:
            yield dict(zip(names, row))


def with_pyarrow(path: Path) -> Iterator[Row]:
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            for row in batch.to_pylist():
                # pyarrow shows a map as a list of pairs.
                yield row | {"labels": dict(row["labels"])}


def with_polars(path: Path) -> Iterator[Row]:
    frame = polars.read_parquet(path)
    for batch in frame.iter_slices(BATCH):
        yield from batch.to_dicts()


READERS = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
