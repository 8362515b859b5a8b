#!/usr/bin/env python3
"""Runs a bench in small and sees that its JSON has the shape that bench/README.md promises.

usage: bench_shape.py budget|cut|edge|idle|fair

Figures of such a short run mean nothing; that there are any, and that they are positive, does.
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY_BE_0 = ["denied", "grants_awaited", "over"]
PERCENTILES = ["p50_us", "p99_us", "p999_us"]
ROUNDS = ["raw, 1", "echo, 1", "raw, 16", "echo, 16", "turns"]
CUTS = ["live", "cut", "p50_ms", "p99_ms", "p999_ms", "max_ms", "told", "billed_usd", "ledger_usd",
        "limit_usd", "over"]
BENCHES = {
    "budget": (
        ["--limit", "5", "--stay", "2"],
        {"turns": None, "money_requests_per_1000": None, "transactions_per_1000": None,
         "denied": None, "grants_awaited": None, "spent_usd": None, "limit_usd": None,
         "held_to_actual": ["text_by_turn", "text_by_token", "voice", "video", "mix"]},
    ),
    "cut": (
        ["--sessions", "20", "--twins", "2", "--spread", "1"],
        {"one_by_one": CUTS, "at_once": CUTS},
    ),
    "edge": (
        ["--rounds", "1", "--ms", "500"],  # a loaded machine may not answer within less
        {"echo_ratio_1": None, "echo_ratio_16": None, "turn_to_echo_ratio": None,
         "per_second": ROUNDS, "server_us": ROUNDS},
    ),
    "idle": (
        ["--sessions", "200"],
        # so few that what pages hold may hide what they cost
        {"sessions": None, "libwebsockets_bytes": "any", "connection_bytes": "any",
         "session_bytes": "any"},
    ),
    "fair": (
        ["--rounds", "1", "--ms", "300", "--sessions", "20"],
        {"alone": PERCENTILES, "beside": [*PERCENTILES, "crowd_per_second"],
         "beside_all": [*PERCENTILES, "crowd_per_second"], "p99_ratio_beside": None,
         "p99_ratio_beside_all": None},
    ),
}


def is_figure(value, any_will_do):
    """Whether it is a number, or money as text; above 0 unless any will do."""
    try:
        return float(value) > 0 or any_will_do
    except (TypeError, ValueError):
        return False


def problems(found, shape):
    if sorted(found) != sorted(shape):
        yield f"it has {sorted(found)}, not {sorted(shape)}"
        return
    for name, members in shape.items():
        figures = found[name] if isinstance(members, list) else {name: found[name]}
        if isinstance(members, list) and sorted(figures) != sorted(members):
            yield f"{name} has {sorted(figures)}, not {sorted(members)}"
        for member, figure in figures.items():
            if not is_figure(figure, members == "any" or member in MAY_BE_0):
                yield f"{name}: {member} is {figure}"


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in BENCHES:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    options, shape = BENCHES[arguments[0]]
    command = [ROOT / "bench" / arguments[0], "--json", "--no-build", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return done.returncode
    found = list(problems(json.loads(done.stdout), shape))
    print("\n".join(found) if found else done.stdout.strip())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
