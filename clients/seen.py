"""What a kind's clients reached, by the cloud's own log, held against the list that the coverage page is made of.

    service METHOD operation      for each that was answered well: `arm PUT Microsoft.Compute/disks/write`

`clients/{kind}/operations.txt` has them, sorted. A line that no request earned any more fails the stage: the page would say
what is not so. One that is not there yet is named, and fails nothing; ZAFFRE_BLESS=1 writes the file, and docs/coverage.md is made of it (crates/zaffre/tests/coverage.rs).
How often an operation is followed is a matter of time, so what only follows is left out.
"""

import json
import os

# Of these every request names one operation that a client asked for.
SERVICES = ("arm", "blob", "cosmos", "entra", "graph", "hosts", "imds")
HEAD = "# What {kind}'s clients reach, by the cloud's log: clients/seen.py writes it (ZAFFRE_BLESS=1).\n"


def holds(kind, folder, log):
    """Whether every line of the list was earned; prints what differs."""
    path, reached = folder / "operations.txt", operations(log)
    if os.environ.get("ZAFFRE_BLESS") == "1":
        path.write_text(HEAD.format(kind=kind) + "".join(f"{line}\n" for line in sorted(reached)))
    listed = {line for line in path.read_text().splitlines() if not line.startswith("#")} if path.exists() else set()
    for line in sorted(listed - reached):
        print(f"{path.name} of {kind}: no request reached it, or none was answered well: {line}")
    for line in sorted(reached - listed):
        print(f"{path.name} of {kind}: is reached and not in the list (ZAFFRE_BLESS=1 writes it): {line}")
    print(f"{kind}: {len(reached)} operations reached, {len(listed ^ reached)} differ from the list", flush=True)
    return listed <= reached


def operations(log):
    reached = set()
    for record in records(log):
        service, name = record["service"], record.get("operation", "")
        if service in SERVICES and record["status"] < 400 and "{operation}" not in name:
            reached.add(f"{service} {record['request'].split(' ')[0]} {name}")
    return reached


def records(log, begin=0):
    """The log's lines that are requests, from a place on."""
    with open(log, "rb") as lines:
        lines.seek(begin)
        for line in lines:
            if line.startswith(b"{"):
                yield json.loads(line)
