"""One recording from start to file: set the scene, probe it, play a person into it, merge what both ends saw, check it.

The file is NDJSON, gzipped, of the same fields as the project's earlier captures: `meta`, `key`, `ptr_in`, `ptr`,
`btn`, `chal` and, with a browser, `web_*`. All times are milliseconds after the first injected event, on one clock.
"""

import collections
import gzip
import json
import math
import os
import statistics
import subprocess
import time

from . import devices, people
from .machine import BUILD, Failed, busy
from .page import Page
from .relays import RELAYS, versions

FORMAT = 2
PRESSES = 120
POINTER_MS = 14000
# Most rows of each kind of move that a file keeps: a 1000 Hz mouse would fill it otherwise.
MOVES_KEPT = 1100
PROMPTS = 6
# Fewest captured moves that are worth a look: a window of 50 and some.
MOVES_LEAST = 70
GAP_MS = 1200
# A recording is repeated when the machine, not the relay, held things up longer or oftener than this.
STALL_MS = 25
STALLS_MAX = 2
STALL_WORST_MS = 80
LATE_WORST_MS = 20
SPACE = 65


def schedule(condition, relative):
    """What the person does: (microseconds, kind, a, b) lines for the injector."""
    seed = condition["seed"]
    typed = people.Typist(seed).type(PRESSES)
    events = [(at * 1000, "K", code, down) for at, code, down in devices.key_reports(condition["keyboard"], typed, seed)]
    start = events[-1][0] + GAP_MS * 1000
    # A slow page timer leaves few moves: its hand moves longer.
    slow = (condition.get("kvm") or {}).get("timer_ms", 0) >= 50
    path, clicks = people.Hand(seed, devices.style(condition["pointer"])).path(POINTER_MS * (2 if slow else 1))
    moves = devices.pointer_reports(condition["pointer"], path, seed)
    x, y = people_start = (400, 300)
    for at, to_x, to_y in moves:
        if relative:
            events.append((start + at * 1000, "R", to_x - x, to_y - y))
            x, y = to_x, to_y
        else:
            events.append((start + at * 1000, "M", to_x, to_y))
    if not relative:
        # Software KVMs grab the pointer at an edge; a click there would go astray.
        events += [(start + at * 1000, "B", 1, down) for at, down in clicks if at < moves[-1][0]]
    return sorted(events, key=lambda event: event[0]), people_start


class Recorder:
    """The recorder program wherever the relay's input arrives."""

    def __init__(self, slot, relay, log):
        self.slot, self.log = slot, log
        log.unlink(missing_ok=True)
        command, side, display = relay.laptop_command(slot, [BUILD / "record", log])
        self.process = slot.start(command, side=side, display=display, name="record")
        end = time.monotonic() + 12
        while not (log.exists() and log.stat().st_size):
            slot.alive(self.process)
            if time.monotonic() > end:
                raise Failed("the recorder saw no server")
            time.sleep(0.1)

    def stop(self):
        # Over ssh the signal must reach the far end: its process knows its own log.
        subprocess.run(["pkill", "-TERM", "-f", f"^{BUILD / 'record'} {self.log}"], check=False)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.slot.stop(self.process)


def probe(slot, relay, condition):
    """Whether a key and a move of the operator reach the laptop; tries for some seconds."""
    log = slot.work / "probe.csv"
    recorder = Recorder(slot, relay, log)
    try:
        for attempt in range(10):
            moves = [(0.02, "R", 1, 1 - 2 * (attempt % 2))] if relay.relative else [(0.02, "M", 400 + attempt, 310)]
            slot.act(slot.operator, *moves, (0.02, "K", SPACE, 1), (0.05, "K", SPACE, 0))
            time.sleep(0.5 + condition["rtt_ms"] / 500)
            seen = log.read_text()
            if ",1," in "".join(line for line in seen.splitlines(True) if line.startswith("k")) and "\nm," in seen:
                return
    finally:
        recorder.stop()
    raise Failed("no key or no move of the operator reaches the laptop")


def record(slot, condition, out):
    """Makes one recording; returns its meta row. Raises `Failed`."""
    relay = RELAYS[condition["proto"]]
    slot.clean()
    slot.nice = 0 if condition.get("load") else -10
    if condition.get("browser"):
        condition = dict(condition, page=Page(slot, condition["browser"]))
    beats, began = None, busy()
    try:
        if relay.remote:
            slot.network(condition)
        relay.start(slot, condition)
        time.sleep(relay.settle_s + 4 * condition["rtt_ms"] / 250)
        if relay.click_first:
            slot.click(slot.operator, 400, 300)
            time.sleep(0.5)
        probe(slot, relay, condition)
        if condition.get("load"):
            slot.start(["stress-ng", *condition["load"].split()], name="stress", nice=0)
            time.sleep(1)
        began = busy()
        beats = slot.start([BUILD / "beat", slot.work / "beat.csv"], name="beat")
        play(slot, relay, condition)
        prompts(slot, relay, condition)
        slot.stop(beats)
        ended = busy()
        if relay.remote:
            slot.stop(slot.link)
        if condition.get("page"):
            condition["page"].stop()
        rows = merge(slot, relay, condition, began, ended)
        write(out, rows)
        return rows[0]
    finally:
        if condition.get("page"):
            condition["page"].stop()
        slot.clean()


def play(slot, relay, condition):
    events, start = schedule(condition, relay.relative)
    plan = slot.work / "schedule.txt"
    plan.write_text("".join(f"{round(at)} {kind} {a} {b}\n" for at, kind, a, b in events))
    if not relay.relative and relay.operator_sees:
        slot.act(slot.operator, (0, "M", *start))
        time.sleep(0.3 + condition["rtt_ms"] / 500)
    recorder = Recorder(slot, relay, slot.work / "record.csv")
    slot.run([BUILD / "inject", plan, slot.work / "inject.csv"], display=slot.operator, name="inject",
             timeout=events[-1][0] / 1e6 + 30)
    # Lost packets are sent again after longer and longer waits.
    time.sleep(1.0 + (16 if condition["loss"] else 4) * condition["rtt_ms"] / 1000)
    recorder.stop()


def prompts(slot, relay, condition):
    for name in ("stimulus.csv", "react.csv"):
        (slot.work / name).unlink(missing_ok=True)
    if not relay.operator_sees or not condition.get("prompts", True):
        return
    seconds = int(PROMPTS * (2.0 + 2 * condition["rtt_ms"] / 1000)) + 12
    operator = slot.start([BUILD / "react", slot.work / "react.csv", seconds, condition["seed"]], display=slot.operator,
                          name="react")
    command, side, display = relay.laptop_command(
        slot, [BUILD / "stimulus", PROMPTS, slot.work / "stimulus.csv", condition["seed"]])
    stimulus = slot.start(command, side=side, display=display, name="stimulus")
    try:
        stimulus.wait(seconds + 25)
    except subprocess.TimeoutExpired:
        pass
    slot.stop(operator, stimulus)


# Merging


def read_injected(slot):
    events = []
    for line in (slot.work / "inject.csv").read_text().splitlines():
        kind, a, b, deadline, at = line.split(",")
        events.append((kind, int(a), int(b), int(deadline), int(at)))
    if not events:
        raise Failed("nothing was injected")
    return events


def read_recorded(slot):
    events, way = [], "xinput2"
    for line in (slot.work / "record.csv").read_text().splitlines():
        if line.startswith("#"):
            way = line[2:]
            continue
        fields = line.split(",")
        if len(fields) == 7:
            kind, code, down, server, arrival, x, y = fields
            events.append((kind, int(code), int(down), int(server), int(arrival), float(x), float(y)))
    return events, way


def matched_keys(injected, recorded):
    """Pairs each injected key event with the recorded one, per key and direction: (injected, recorded or None).

    Streams keep their order, so the n-th belongs to the n-th. Where some are missing, each takes the first that is
    still free and came after it.
    """
    arrived = collections.defaultdict(list)
    for event in recorded:
        if event[0] == "k":
            arrived[(event[1], event[2])].append(event)
    sent = collections.Counter((event[1], event[2]) for event in injected if event[0] == "K")
    whole = {key for key, count in sent.items() if len(arrived[key]) == count}
    pairs = []
    for event in injected:
        if event[0] != "K":
            continue
        key = (event[1], event[2])
        queue = arrived[key]
        while key not in whole and queue and queue[0][4] < event[4]:
            queue.pop(0)
        pairs.append((event, queue.pop(0) if queue else None))
    return pairs


def quantiles(values, *shares):
    values = sorted(values)
    return [round(values[min(len(values) - 1, int(share * len(values)))], 2) for share in shares] if values else []


def merge(slot, relay, condition, began, ended):
    injected = read_injected(slot)
    recorded, way = read_recorded(slot)
    zero = injected[0][4]
    # Servers that do not count from boot are put on this clock by their nearest event.
    offsets = [event[4] / 1000 - event[3] for event in recorded]
    shift = min(offsets) if offsets and not -50 < min(offsets) < 1000 else 0
    fine = lambda micros: round((micros - zero) / 1000, 2)
    server = lambda millis: math.floor(millis + shift - zero // 1000)
    if way == "record":
        # RECORD hands events over in heaps long after they happened: the server's own milliseconds are all there is.
        recorded = [event[:4] + (round((event[3] + shift) * 1000),) + event[5:] for event in recorded]
    if isinstance(relay, type(RELAYS["sshx"])):
        # The server whose time the events carry is the operator's; what runs on the laptop knows when they came.
        recorded = [event[:3] + (event[4] // 1000,) + event[4:] for event in recorded]
    rows, open_presses, delays = [], {}, []
    pairs = matched_keys(injected, recorded)
    lost = sum(after is None for _, after in pairs)
    for before, after in pairs:
        if before[2]:
            open_presses[before[1]] = (before, after)
        elif before[1] in open_presses:
            press, pressed = open_presses.pop(before[1])
            if pressed is None or after is None:
                continue
            delays += [(pressed[4] - press[4]) / 1000, (after[4] - before[4]) / 1000]
            rows.append({"type": "key", "typist": 0, "class": people.CLASSES[press[1]], "p": server(pressed[3]),
                         "r": server(after[3]), "p_us": fine(pressed[4]), "r_us": fine(after[4]), "ip": fine(press[4]),
                         "ir": fine(before[4])})
    rows.sort(key=lambda row: row["ip"])
    x, y = 400, 300
    for kind, a, b, _, at in [event for event in injected if event[0] in "MR"][:MOVES_KEPT]:
        x, y = (a, b) if kind == "M" else (x + a, y + b)
        rows.append({"type": "ptr_in", "t": fine(at), "x": x, "y": y})
    pointer_from = next((event[4] for event in injected if event[0] in "MR"), 0) - 1000
    moves = [event for event in recorded if event[0] == "m" and event[4] >= pointer_from and event[5] >= 0]
    scale = max(1.0, max((event[5] for event in moves), default=0) / 800)
    scale = 1.0 if scale < 1.2 else scale
    for event in moves[:MOVES_KEPT]:
        rows.append({"type": "ptr", "t": server(event[3]), "t_us": fine(event[4]), "x": round(event[5] / scale),
                     "y": round(event[6] / scale)})
    for event in recorded:
        if event[0] == "b" and event[4] >= pointer_from:
            rows.append({"type": "btn", "t": server(event[3]), "b": event[1], "d": event[2]})
    loops = read_prompts(slot, rows)
    page = condition.get("page")
    web = read_page(page, rows) if page else 0
    gaps = [(b[4] - a[4]) / 1000 for a, b in zip(moves, moves[1:])]
    steady = [gap for gap in gaps if gap < 200]
    machine = machine_facts(slot, relay, injected, began, ended)
    meta = {
        "type": "meta", "cond": condition["name"], "proto": condition["proto"], "rtt_ms": condition["rtt_ms"],
        "jitter_ms_per_direction": condition["jitter_ms"], "loss": condition["loss"],
        "label": "remote" if relay.remote else "local", "operator_hw": condition["keyboard"],
        "pointer_person": f"simulated-{condition['seed']}", "browser": bool(page), "format": FORMAT, "use": relay.use,
        "seed": condition["seed"], "keyboard": condition["keyboard"], "pointing_device": condition["pointer"],
        "browser_program": condition.get("browser"), "load": condition.get("load"), "kvm": condition.get("kvm"),
        "recorded_by": way, "people": "simulated", "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "programs": versions(relay, condition.get("browser")), "machine": machine,
        "measured": {
            "keys_in": sum(event[0] == "K" and event[2] for event in injected),
            "keys_lost_events": lost, "moves_in": sum(event[0] in "MR" for event in injected), "moves": len(moves),
            "web_rows": web,
            "key_delay_ms": quantiles(delays, 0.05, 0.5, 0.95, 1.0),
            "gap_ms": quantiles(steady, 0.05, 0.5, 0.95),
            "gap_under_1200us": round(sum(gap <= 1.2 for gap in steady) / max(1, len(steady)), 4),
            "loop_added_ms": quantiles(loops, 0.0, 0.5, 1.0), "loop_answers": len(loops),
        },
    }
    meta["sound"] = verdict(meta, relay, condition)
    return [meta] + rows


def read_prompts(slot, rows):
    """Adds the prompts; returns the delay of each answered one beyond the scripted reaction."""
    stimulus, react = slot.work / "stimulus.csv", slot.work / "react.csv"
    if not stimulus.exists() or not react.exists():
        return []
    answers = [[float(field) for field in line.split(",")] for line in react.read_text().splitlines()]
    added = []
    for line in stimulus.read_text().splitlines():
        _, painted, key = (int(field) for field in line.split(","))
        seen = [answer for answer in answers if painted <= answer[0] < painted + 3_000_000]
        if key and seen and key > seen[0][2]:
            reaction = (key - painted) / 1000
            rows.append({"type": "chal", "rt": round(reaction, 2), "rt_human": seen[0][1]})
            added.append(reaction - seen[0][1])
        else:
            rows.append({"type": "chal", "rt": -1})
    return added


def read_page(page, rows):
    """Adds what the browser page saw; its clock is its own. Returns how many rows."""
    names = {"k": "web_key", "m": "web_ptr", "r": "web_ptr_raw", "b": "web_btn"}
    lines, kept = page.lines(), collections.Counter()
    for line in lines:
        kind, a, b, stamp, now, repeat = json.loads(line)
        kept[kind] += 1
        if kept[kind] > MOVES_KEPT:
            continue
        row = {"type": names[kind], "ts": round(stamp, 2), "now": round(now, 2)}
        if kind == "k":
            row.update({"class": web_class(a), "down": b, "rep": repeat})
        else:
            row.update({"a": round(a), "b": round(b)})
        rows.append(row)
    return len(lines)


def web_class(code):
    if 65 <= code <= 90:
        return people.LETTER
    if 48 <= code <= 57:
        return people.DIGIT
    return {32: people.SPACE, 13: people.ENTER, 8: people.ERASE, 16: people.MODIFIER}.get(code, people.PUNCTUATION)


def machine_facts(slot, relay, injected, began, ended):
    """How the machine kept time while it recorded."""
    stalls, beats = [], [0, 0, 0]
    for line in (slot.work / "beat.csv").read_text().splitlines():
        if line.startswith("#"):
            beats = [int(field) for field in line[2:].split()]
        else:
            stalls.append(int(line.split(",")[1]) / 1000)
    late = [(at - deadline) / 1000 for _, _, _, deadline, at in injected]
    facts = {
        "busy": round((ended[0] - began[0]) / max(1, ended[1] - began[1]), 3), "load1": round(os.getloadavg()[0], 2),
        "beat_late_p99_ms": round(beats[1] / 1000, 2), "beat_late_max_ms": round(beats[2] / 1000, 2),
        "stalls_over_25ms": sum(stall > STALL_MS for stall in stalls),
        "inject_late_ms": quantiles(late, 0.5, 0.99, 1.0),
    }
    if relay.remote:
        fields = (slot.work / "link.out").read_text().split()
        if len(fields) == 4:
            facts["link"] = {"packets": int(fields[0]), "lost": int(fields[1]),
                             "late_p99_ms": int(fields[2]) / 1000, "late_max_ms": int(fields[3]) / 1000}
    return facts


def quiet(machine):
    """Whether the machine kept time while it recorded."""
    return (machine["stalls_over_25ms"] <= STALLS_MAX and machine["beat_late_max_ms"] < STALL_WORST_MS
            and machine["inject_late_ms"][2] < LATE_WORST_MS
            and machine.get("link", {}).get("late_max_ms", 0.0) < LATE_WORST_MS)


def verdict(meta, relay, condition):
    """What of a recording may be used: checked right after it was made."""
    measured, machine = meta["measured"], meta["machine"]
    lost_share = measured["keys_lost_events"] / max(1, 2 * measured["keys_in"])
    # A busy machine may hold up its X server, but the simulated hardware must not be late itself.
    kept_time = quiet(machine) or bool(condition.get("load") and machine["inject_late_ms"][2] < LATE_WORST_MS)
    return {"keys": lost_share <= 0.02, "pointer": measured["moves"] >= MOVES_LEAST, "machine": kept_time,
            "loop": measured["loop_answers"] >= PROMPTS // 2}


def write(out, rows):
    """Writes the file whole or not at all."""
    beside = out.with_suffix(".part")
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    # No name and no time in the header: equal rows give equal bytes.
    with open(beside, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as zipped:
        zipped.write(text.encode())
    beside.replace(out)


def read_meta(path):
    with gzip.open(path, "rt") as file:
        return json.loads(file.readline())


def median(values):
    return statistics.median(values) if values else float("nan")


__all__ = ["record", "read_meta", "quiet"]
