"""What every row must keep to, and what its JSONL line must say.

Lines hold what the record holds in AIPerf's names, so each value has one place to be compared with:
an instant or an id with its column, a metric with the column of its tag. The list metric
inter_chunk_latency has no column; the differences of chunk_offset_ns are it. Latencies from other
origins than AIPerf's have no line; the differences of the row's instants are they.
"""

import json
from itertools import pairwise
from pathlib import Path

CHUNK_LISTS = [
    "chunk_offset_ns", "chunk_uncertainty_ns", "chunk_read_lag_ns", "chunk_tokens", "chunk_bytes", "chunk_kind",
]
OUTCOMES = {
    "ok", "http_error", "connect_error", "timeout", "stream_error", "invalid_response", "cancelled", "aborted",
    "not_sent",
}
UNREPORTED = {"aborted", "not_sent"}
# Tags for which the record's own integer column is the metric's.
OWN_PREFIX = "usage_"
# AIPerf's latencies by what they count to, and the other origins by what they count from.
ARRIVALS = {
    "time_to_first_token": "first_token_ns",
    "time_to_first_output_token": "first_output_token_ns",
    "request_latency": "last_token_ns",
}
ORIGINS = {"from_write": "send_start_ns", "from_schedule": "scheduled_ns"}


def read_lines(path: Path) -> dict[str, dict]:
    """The lines by request id; the ids must be distinct."""
    lines = {}
    with path.open(encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            request_id = line["metadata"]["x_request_id"]
            if request_id in lines:
                raise SystemExit(f"{path}: request {request_id} has two lines")
            lines[request_id] = line
    return lines


class Judge:
    """Takes rows one by one and collects what is wrong with them."""

    def __init__(self, lines: dict[str, dict] | None):
        self.lines_left = lines
        self.lines = len(lines or ())
        self.tags = {tag for line in (lines or {}).values() for tag in line["metrics"]}
        self.rows = self.chunks = self.compared = 0
        self.ids: set[str] = set()
        self.faults: list[str] = []

    def take(self, row: dict) -> int:
        """Judges a row; the answer is a digest of all its values."""
        self.rows += 1
        request_id = row["request_id"]
        self.expect(request_id not in self.ids, row, "its id occurs twice")
        self.ids.add(request_id)
        self.expect(row["outcome"] in OUTCOMES, row, f"unknown outcome {row['outcome']}")
        self.judge_chunks(row)
        self.judge_origins(row)
        if self.lines_left is not None:
            self.judge_line(row, self.lines_left.pop(request_id, None))
        return hash(repr(sorted(row.items())))

    def finish(self) -> list[str]:
        return self.faults + [f"line {left} has no row" for left in self.lines_left or ()]

    def expect(self, holds: bool, row: dict, otherwise: str) -> None:
        if not holds:
            self.faults.append(f"row {self.rows} ({row['phase']} request {row['session_num']}): {otherwise}")

    def equal(self, row: dict, what: str, stored: object, line: object) -> None:
        self.compared += 1
        self.expect(stored == line, row, f"{what} is {stored} in Parquet and {line} in JSONL")

    def judge_chunks(self, row: dict) -> None:
        lists = [row[name] for name in CHUNK_LISTS]
        if all(chunks is None for chunks in lists):
            return  # dropped by a client that could not keep up, all of them together
        lengths = {None if chunks is None else len(chunks) for chunks in lists}
        self.expect(len(lengths) == 1, row, f"its chunk lists have lengths {lengths}")
        offsets = row["chunk_offset_ns"] or []
        self.chunks += len(offsets)
        self.expect(all(a <= b for a, b in pairwise(offsets)), row, "its offsets decrease")
        if row["output_tokens"] is not None or row["reasoning_tokens"] is not None:
            tokens = (row["output_tokens"] or 0) + (row["reasoning_tokens"] or 0)
            in_chunks = sum(row["chunk_tokens"] or [])
            self.expect(in_chunks == tokens, row, f"its chunks hold {in_chunks} of {tokens} tokens")
        if offsets and row["first_token_ns"] is not None:
            start = row["request_start_ns"]
            self.expect(start + offsets[0] == row["first_token_ns"], row, "its first chunk is not its first token")
            self.expect(start + offsets[-1] == row["last_token_ns"], row, "its last chunk is not its last token")

    def judge_origins(self, row: dict) -> None:
        for latency, arrival in ARRIVALS.items():
            for name, origin in ORIGINS.items():
                tag = f"{latency}_{name}"
                known = row[latency] is not None and row[arrival] is not None and row[origin] is not None
                # The product with 1e-6, as for gaps.
                value = (row[arrival] - row[origin]) * 1e-6 if known else None
                self.expect(row[tag] == value, row, f"{tag} is {row[tag]}, and its instants say {value}")

    def judge_line(self, row: dict, line: dict | None) -> None:
        if row["outcome"] in UNREPORTED:
            self.expect(line is None, row, f"it was {row['outcome']} and has a JSONL line")
            return
        if line is None:
            self.expect(False, row, f"it was {row['outcome']} and has no JSONL line")
            return
        self.judge_metadata(row, line)
        self.judge_metrics(row, {tag: metric["value"] for tag, metric in line["metrics"].items()})
        error = line.get("error")
        self.equal(row, "error_code", row["error_code"], error and error.get("code"))
        self.equal(row, "error_type", row["error_type"], error and error["type"])
        self.equal(row, "error", row["error"], error and error["message"])

    def judge_metadata(self, row: dict, line: dict) -> None:
        due = first(row["scheduled_ns"], row["released_ns"])
        start = first(row["request_start_ns"], row["released_ns"], due)
        is_accepted = row["status"] is not None and 200 <= row["status"] < 300 and row["outcome"] != "cancelled"
        columns = {
            "session_num": row["session_num"],
            "x_request_id": row["request_id"],
            "x_correlation_id": row["correlation_id"],
            "conversation_id": row["session_id"],
            "turn_index": row["turn_index"],
            "credit_issued_ns": due,
            "request_start_ns": start,
            "request_ack_ns": row["headers_ns"] if is_accepted else None,
            "request_end_ns": first(row["end_ns"], start),
            "benchmark_phase": row["phase"],
            "phase_index": row["phase_index"],
            "was_cancelled": row["outcome"] == "cancelled",
        }
        for key, stored in columns.items():
            self.equal(row, key, stored, line["metadata"].get(key))

    def judge_metrics(self, row: dict, metrics: dict) -> None:
        for tag in self.tags - {"inter_chunk_latency"}:
            if tag.startswith(OWN_PREFIX) and tag not in metrics:
                continue  # the record keeps what the server reported where no metric applies
            self.expect(tag in row, row, f"metric {tag} has no column")
            self.equal(row, tag, row.get(tag), metrics.get(tag))
        if gaps := metrics.get("inter_chunk_latency"):
            # The product with 1e-6, not the quotient by 1e6: they can differ in the last digit.
            stored = [(b - a) * 1e-6 for a, b in pairwise(row["chunk_offset_ns"] or [])]
            self.equal(row, "inter_chunk_latency", stored, gaps)


def first(*values: object) -> object:
    return next((value for value in values if value is not None), None)
