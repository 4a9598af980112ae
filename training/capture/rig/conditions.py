"""What is recorded: the list of conditions, fixed by this file, so that a name always means the same recording.

Local. Every keyboard and pointing device of `devices`, at least twice with different people, some on a loaded machine,
some seen from a browser page too.

Remote. Not the full grid of protocol x round trip x jitter x loss: each protocol gets a few cells, dealt so that over
all protocols each round trip, jitter and loss occurs about equally often, and within a protocol no round trip twice
before all were used.
"""

import collections
import random

RTTS, JITTERS, LOSSES = (0, 20, 60, 110, 180, 250), (0, 5, 20), (0, 2)
# What the operator's own desk has, dealt in turn.
OPERATOR_DEVICES = (("usb125", "usb125"), ("usb1000", "usb1000"), ("builtin", "touchpad_i2c"), ("usb125", "usb500"),
                    ("bt11", "bt11"), ("usb250", "usb125"))
LOCAL_DEVICES = (
    ("usb125", "usb125"), ("usb1000", "usb1000"), ("usb250", "usb250"), ("usb500", "usb500"), ("bt7", "bt7"),
    ("bt11", "bt11"), ("bt15", "bt15"), ("builtin", "touchpad_i2c"), ("builtin_serial", "touchpad_slow"),
    ("bt11", "touchpad_bt"), ("usb125", "trackball"), ("bt15", "trackball_bt"), ("usb125", "tablet133"),
    ("usb1000", "tablet200"), ("builtin", "usb125"), ("builtin_serial", "bt11"))
LOADS = (
    (("usb125", "usb125"), "--cpu 2 --cpu-load 60"), (("usb1000", "usb1000"), "--cpu 2 --cpu-load 60"),
    (("builtin", "touchpad_i2c"), "--cpu 4"), (("bt11", "bt11"), "--cpu 4"), (("usb125", "usb500"), "--cpu 3 --io 2"),
    (("usb125", "usb125"), "--vm 2 --vm-bytes 512M"))
PAGES = ((("usb125", "usb125"), "chromium"), (("usb1000", "usb1000"), "chromium"), (("builtin", "touchpad_i2c"), "chromium"),
         (("bt11", "bt11"), "chromium"), (("usb125", "usb125"), "firefox"), (("usb125", "usb500"), "firefox_resist"))
# protocol -> recordings
REMOTE = {"xtigervnc": 5, "x11vnc": 5, "tightvnc": 5, "gtkvnc": 5, "novnc": 5, "x0vnc": 4, "sshx": 5, "x2x": 4,
          "x2go": 5, "barrier": 4, "x2vnc": 4, "rdp": 4, "xpra": 3}
KVMS = tuple({"poll_ms": poll, "timer_ms": timer, "auto_release": release}
             for poll, timer, release in ((8, 10, False), (1, 10, False), (8, 100, False), (1, 100, True), (8, 10, True),
                                          (1, 0, False)))
REMOTE_PAGES = (("novnc", 110, 5, 0, "chromium"), ("xtigervnc", 180, 0, 0, "chromium"), ("x11vnc", 60, 5, 2, "chromium"))


def _name(proto, rtt, jitter, loss, suffix=""):
    return f"{proto}_rtt{rtt:03d}_j{jitter:02d}_l{loss}" + (f"_{suffix}" if suffix else "")


def _condition(name, proto, rtt, jitter, loss, hardware, seed, **more):
    return {"name": name, "proto": proto, "rtt_ms": rtt, "jitter_ms": jitter, "loss": loss, "keyboard": hardware[0],
            "pointer": hardware[1], "seed": seed, **more}


class Deal:
    """Deals levels of one factor evenly: first within a protocol, then over all; ties by the seed."""

    def __init__(self, name, levels, seed):
        self.levels, self.draw = levels, random.Random(f"deal-{name}-{seed}")
        self.overall, self.within = collections.Counter(), {}

    def next(self, proto):
        own = self.within.setdefault(proto, collections.Counter())
        level = min(self.levels, key=lambda level: (own[level], self.overall[level], self.draw.random()))
        own[level] += 1
        self.overall[level] += 1
        return level


def conditions(seed=1):
    """Every condition, in the order it is recorded; what a seed deals depends on nothing else."""
    out, number = [], 0

    def next_seed():
        nonlocal number
        number += 1
        return seed * 1000 + number

    for part in "ab":
        for hardware in LOCAL_DEVICES:
            suffix = f"{hardware[0]}_{hardware[1]}_{part}"
            # Prompts on half of them: what a desk adds to a loop is soon known.
            out.append(_condition(_name("local", 0, 0, 0, suffix), "local", 0, 0, 0, hardware, next_seed(),
                                  prompts=part == "a"))
    for hardware, program in PAGES:
        suffix = f"{hardware[0]}_{hardware[1]}_{program}"
        out.append(_condition(_name("local", 0, 0, 0, suffix), "local", 0, 0, 0, hardware, next_seed(), browser=program))
    for at, (hardware, load) in enumerate(LOADS):
        suffix = f"{hardware[0]}_{hardware[1]}_loaded{at}"
        out.append(_condition(_name("local", 0, 0, 0, suffix), "local", 0, 0, 0, hardware, next_seed(), load=load))
    deals = [Deal(name, levels, seed) for name, levels in (("rtt", RTTS), ("jitter", JITTERS), ("loss", LOSSES))]
    for proto, count in REMOTE.items():
        for at in range(count):
            rtt, jitter, loss = (deal.next(proto) for deal in deals)
            hardware = OPERATOR_DEVICES[(number + at) % len(OPERATOR_DEVICES)]
            out.append(_condition(_name(proto, rtt, jitter, loss), proto, rtt, jitter, loss, hardware, next_seed()))
    for kvm in KVMS:
        rtt, jitter, loss = (deal.next("ipkvm") for deal in deals)
        suffix = f"p{kvm['poll_ms']}_t{kvm['timer_ms']}" + ("_release" if kvm["auto_release"] else "")
        out.append(_condition(_name("ipkvm", rtt, jitter, loss, suffix), "ipkvm", rtt, jitter, loss,
                              OPERATOR_DEVICES[number % len(OPERATOR_DEVICES)], next_seed(), kvm=kvm))
    for proto, rtt, jitter, loss, program in REMOTE_PAGES:
        out.append(_condition(_name(proto, rtt, jitter, loss, "page"), proto, rtt, jitter, loss,
                              OPERATOR_DEVICES[number % len(OPERATOR_DEVICES)], next_seed(), browser=program))
    # Mixed, so that a busy hour of the machine does not fall on one protocol alone.
    random.Random(f"order-{seed}").shuffle(out)
    return out
