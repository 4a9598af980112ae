"""Sanity figures of recordings, by protocol: what to look at before trusting them. Reads any directory of the format."""

import collections
import gzip
import json

from .recording import median, quantiles


def read(path):
    rows = collections.defaultdict(list)
    with gzip.open(path, "rt") as file:
        for line in file:
            row = json.loads(line)
            rows[row["type"]].append(row)
    return rows["meta"][0], rows


def facts(meta, rows):
    """Of one recording: gaps of the pointer (pauses over 200 ms left out), key delays, delays of the loop."""
    times = [row.get("t_us", row["t"]) for row in rows["ptr"]]
    gaps = [b - a for a, b in zip(times, times[1:]) if b - a < 200]
    offered = [row["t"] for row in rows["ptr_in"]]
    offered = [b - a for a, b in zip(offered, offered[1:]) if b - a < 200]
    delays = [row["p_us"] - row["ip"] for row in rows["key"]]
    if not (meta.get("kvm") or {}).get("auto_release"):
        delays += [row["r_us"] - row["ir"] for row in rows["key"]]
    loops = [row["rt"] - row["rt_human"] for row in rows["chal"] if row["rt"] > 0 and row.get("rt_human")]
    half = meta["rtt_ms"] / 2
    return {
        "moves": len(times), "gap": median(gaps), "offered": median(offered),
        "together": sum(gap <= 1.2 for gap in gaps) / max(1, len(gaps)),
        "excess": [round(value - half, 1) for value in quantiles(delays, 0.05, 0.5, 0.95)],
        "loop": median(loops) - meta["rtt_ms"] - 2 * meta["jitter_ms_per_direction"], "answers": len(loops),
    }


def summary(folder):
    groups = collections.defaultdict(list)
    for path in sorted(folder.glob("*.ndjson.gz")):
        meta, rows = read(path)
        name = meta["proto"]
        if name == "local":
            name += " loaded" if meta.get("load") else " page" if meta.get("browser") else ""
        groups[name].append((meta, facts(meta, rows)))
    print("protocol        n  stalled  gap in  gap out  <= 1.2 ms (no jitter)   key excess p05 p50 p95 (no jitter, loss)   loop - RTT")
    for name, entries in sorted(groups.items()):
        pointed = [entry for entry in entries if entry[1]["moves"] >= 100]
        still = [fact for meta, fact in pointed if meta["jitter_ms_per_direction"] == 0 and meta["loss"] == 0]
        quiet = [fact["excess"] for meta, fact in entries
                 if meta["jitter_ms_per_direction"] == 0 and meta["loss"] == 0 and fact["excess"]]
        excess = [round(median([three[at] for three in quiet]), 1) for at in range(3)] if quiet else "-"
        loops = [fact["loop"] for _, fact in entries if fact["answers"] >= 3]
        stalled = sum(not meta.get("sound", {}).get("machine", True) for meta, _ in entries)
        print(f"{name:<14} {len(entries):>2} {stalled:>8} {median([f['offered'] for _, f in pointed]):>7.1f} "
              f"{median([f['gap'] for _, f in pointed]):>8.1f} {median([f['together'] for _, f in pointed]):>10.3f} "
              f"({median([f['together'] for f in still]):.3f})   {str(excess):<40} {median(loops):>8.1f} "
              f"({len(loops)})")
