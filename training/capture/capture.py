#!/usr/bin/env python3
"""Records remote-control programs, and desks without one, on one machine. See README.md beside this file.

    sudo training/capture/capture.py --list
    sudo training/capture/capture.py                       # whatever is not recorded yet
    sudo training/capture/capture.py --only 'spice_*' --out /tmp/try --again
"""

import argparse
import fnmatch
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from rig.conditions import conditions  # noqa: E402
from rig.machine import BUILD, Failed, Slot  # noqa: E402
from rig.recording import quiet, read_meta, record  # noqa: E402
from rig.relays import RELAYS, missing  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "recordings", help="directory of the recordings")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/capture-rig"), help="directory for logs")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names to record, such as 'spice_*'")
    parser.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="names to leave out")
    parser.add_argument("--seed", type=int, default=1, help="seed of people, devices and links")
    parser.add_argument("--slots", type=int, default=1, help="recordings made side by side; loaded machines go alone")
    parser.add_argument("--tries", type=int, default=3, help="attempts at a recording when the machine stalls")
    parser.add_argument("--again", action="store_true", help="record anew what is there already")
    parser.add_argument("--unsound", action="store_true", help="record anew what is there but was found unsound")
    parser.add_argument("--list", action="store_true", help="print the conditions and what is recorded of them")
    parser.add_argument("--summary", action="store_true", help="print what the recordings measure, by protocol")
    return parser.parse_args()


def chosen(options):
    for condition in conditions(options.seed):
        name = condition["name"]
        wanted = not options.only or any(fnmatch.fnmatch(name, pattern) for pattern in options.only)
        if wanted and not any(fnmatch.fnmatch(name, pattern) for pattern in options.skip):
            yield condition


def path_of(options, condition):
    return options.out / f"{condition['name']}.ndjson.gz"


def require(names):
    """Ends with one clear line when something is not installed or not allowed."""
    absent = missing(names)
    if absent:
        packages = " ".join(sorted(set(absent.values())))
        sys.exit(f"capture: {', '.join(sorted(absent))} not found: apt-get install --no-install-recommends {packages}")
    if os.geteuid() != 0:
        sys.exit("capture: needs root for network namespaces and real-time priority (sudo, or a root user in a container)")
    if not os.path.exists("/dev/net/tun"):
        sys.exit("capture: needs /dev/net/tun")
    made = subprocess.run(["make", "-s", "-C", HERE / "c", f"OUT={BUILD}"], capture_output=True, text=True)
    if made.returncode:
        sys.exit("capture: cannot build c/ (apt-get install gcc make libx11-dev libxi-dev libxtst-dev):\n" + made.stderr)


def listing(options):
    for condition in chosen(options):
        path = path_of(options, condition)
        found = "-"
        if path.exists():
            meta = read_meta(path)
            bad = [part for part in ("keys", "pointer") if not meta["sound"][part]]
            if not sound(meta) and not bad:
                bad = ["machine"]
            found = "unsound: " + ", ".join(bad) if bad else "sound"
        print(f"{condition['name']:<56} {condition['keyboard']:<15} {condition['pointer']:<14} {found}")


def wanted(options, condition):
    path = path_of(options, condition)
    if options.again or not path.exists():
        return True
    return options.unsound and not sound(read_meta(path))


def sound(meta):
    return all(meta["sound"][part] for part in ("keys", "pointer", "machine")) and (meta["load"] or quiet(meta["machine"]))


def quality(meta):
    """Orders attempts: whole before quiet, then by how much the machine stalled."""
    return (meta["sound"]["keys"] and meta["sound"]["pointer"], quiet(meta["machine"]),
            -meta["machine"]["stalls_over_25ms"], -meta["machine"]["beat_late_max_ms"])


def one(slot, condition, options, say):
    """Records a condition, again when the machine stalled; the best attempt stays."""
    best, attempt_path = None, slot.work / "attempt.ndjson.gz"
    for attempt in range(1, options.tries + 1):
        try:
            meta = record(slot, dict(condition), attempt_path)
        except Failed as error:
            say(f"{condition['name']}: {error}")
            continue
        if best is None or quality(meta) > quality(best):
            best = meta
            shutil.copy(attempt_path, path_of(options, condition))
        say(f"{condition['name']} try {attempt}: {json.dumps(meta['measured'])} {json.dumps(meta['machine'])}")
        if sound(meta):
            break
    return best is not None


def work(options, todo, say):
    """Records `todo` in slots side by side; returns the names that failed."""
    waiting, failed, ending = queue.Queue(), [], threading.Event()
    for condition in todo:
        waiting.put(condition)
    slots = [Slot(number, options.work) for number in range(options.slots)]

    def worker(slot):
        while not ending.is_set():
            try:
                condition = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                if not one(slot, condition, options, say):
                    failed.append(condition["name"])
            except Exception as error:  # A relay that breaks in a new way must not end the night's work.
                if not ending.is_set():
                    say(f"{condition['name']}: {error!r}")
                    failed.append(condition["name"])

    threads = [threading.Thread(target=worker, args=(slot,)) for slot in slots]
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
    except KeyboardInterrupt:
        say("stopping; what was recorded stays, the rest can be recorded by the same command")
        ending.set()
        for slot in slots:
            slot.stop(*slot.processes)
        for thread in threads:
            thread.join(timeout=90)
    finally:
        for slot in slots:
            slot.clean()
    return failed, ending.is_set()


def main():
    options = arguments()
    if options.list:
        return listing(options)
    if options.summary:
        from rig.summary import summary
        return summary(options.out)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    options.out.mkdir(parents=True, exist_ok=True)
    todo = [condition for condition in chosen(options) if wanted(options, condition)]
    require({condition["proto"] for condition in todo})
    lock = threading.Lock()
    began = time.monotonic()

    def say(text):
        with lock:
            print(f"[{time.monotonic() - began:7.1f} s] {text}", flush=True)

    say(f"{len(todo)} recordings to make in {options.slots} slots")
    quiet = [condition for condition in todo if not condition.get("load")]
    failed, stopped = work(options, quiet, say)
    loaded = [condition for condition in todo if condition.get("load")]
    if loaded and not stopped:
        options.slots = 1
        more, stopped = work(options, loaded, say)
        failed += more
    if failed:
        sys.exit("capture: not recorded: " + ", ".join(failed))
    return None


if __name__ == "__main__":
    main()
