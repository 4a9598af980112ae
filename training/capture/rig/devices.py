"""Simulated timing of local hardware: when a keyboard or a pointing device hands over what a person did.

A device looks (scan of the key matrix, frame of the sensor), then waits for its link to ask (USB polling, Bluetooth
connection events, which may be missed). Periods run on the device's own crystal, off by up to 60 ppm. Injected into a
real X server, so recordings made with these are called simulated devices, never hardware.
"""

import math
import random


class Grid:
    """A steady clock of `period_ms` with a phase and an error of its own; `slip` is the share of missed slots."""

    def __init__(self, draw, period_ms, jitter_ms=0.03, slip=0.0):
        self.draw, self.period = draw, period_ms * (1 + draw.uniform(-60e-6, 60e-6))
        self.phase, self.jitter, self.slip = draw.uniform(0, period_ms), jitter_ms, slip

    def after(self, time_ms):
        """The first slot at or after an instant that is not missed; jitter comes on top when it is delivered."""
        slot = math.ceil((time_ms - self.phase) / self.period)
        while self.slip and self.draw.random() < self.slip:
            slot += 1
        return self.phase + slot * self.period

    def delivered(self, slot_ms):
        return slot_ms + abs(self.draw.gauss(0.0, self.jitter))


# name -> (scan period of the matrix, link period, delivery jitter, missed slots), milliseconds
KEYBOARDS = {
    "usb125": (5.0, 8.0, 0.03, 0.0),
    "usb250": (4.0, 4.0, 0.03, 0.0),
    "usb500": (2.0, 2.0, 0.03, 0.0),
    "usb1000": (1.0, 1.0, 0.03, 0.0),
    "builtin": (9.0, None, 0.25, 0.0),
    "builtin_serial": (6.0, None, 0.6, 0.0),
    "bt7": (4.0, 7.5, 0.15, 0.01),
    "bt11": (8.0, 11.25, 0.15, 0.02),
    "bt15": (8.0, 15.0, 0.2, 0.02),
    "exact": (None, None, 0.0, 0.0),
}
# name -> (style of the hand, sensor period, its unevenness, link period, delivery jitter, missed slots, least step)
POINTERS = {
    "usb125": ("mouse", 8.0, 0.0, None, 0.03, 0.0, 1),
    "usb250": ("mouse", 4.0, 0.0, None, 0.03, 0.0, 1),
    "usb500": ("mouse", 2.0, 0.0, None, 0.03, 0.0, 1),
    "usb1000": ("mouse", 1.0, 0.0, None, 0.03, 0.0, 1),
    "bt7": ("mouse", 7.5, 0.0, 7.5, 0.15, 0.01, 1),
    "bt11": ("mouse", 8.0, 0.0, 11.25, 0.15, 0.02, 1),
    "bt15": ("mouse", 8.0, 0.0, 15.0, 0.2, 0.02, 1),
    "touchpad_i2c": ("touchpad", 7.2, 0.4, None, 0.25, 0.0, 1),
    "touchpad_slow": ("touchpad", 12.0, 0.8, None, 0.4, 0.0, 1),
    "touchpad_bt": ("touchpad", 11.0, 0.3, 11.25, 0.2, 0.02, 1),
    "trackball": ("trackball", 8.0, 0.0, None, 0.03, 0.0, 2),
    "trackball_bt": ("trackball", 8.0, 0.0, 15.0, 0.2, 0.02, 2),
    "tablet133": ("tablet", 7.5, 0.05, None, 0.05, 0.0, 1),
    "tablet200": ("tablet", 5.0, 0.05, None, 0.05, 0.0, 1),
}


def key_reports(name, events, seed):
    """When each (milliseconds, keycode, down) is delivered: the same triples, re-timed, in order."""
    draw = random.Random(f"keyboard-{name}-{seed}")
    scan_ms, link_ms, jitter, slip = KEYBOARDS[name]
    scan = Grid(draw, scan_ms) if scan_ms else None
    link = Grid(draw, link_ms, jitter, slip) if link_ms else None
    out, last, slots = [], 0.0, {}
    for time, code, down in events:
        seen = scan.after(time) if scan else time
        if link:
            slot = link.after(seen)
            # What one report carries arrives together.
            at = slots.setdefault(round(slot, 3), link.delivered(slot))
        else:
            at = slots.setdefault(round(seen, 6), seen + abs(draw.gauss(0.0, jitter)))
        last = max(last, at)
        out.append((last, code, down))
    return out


def pointer_reports(name, path, seed):
    """What the device delivers of a path sampled each millisecond: (milliseconds, x, y), changes only, in order."""
    draw = random.Random(f"pointer-{name}-{seed}")
    _, sensor_ms, uneven, link_ms, jitter, slip, least = POINTERS[name]
    sensor = Grid(draw, sensor_ms)
    link = Grid(draw, link_ms, jitter, slip) if link_ms and link_ms != sensor_ms else None
    out, before, last, pending = [], None, 0.0, None
    for look in range(int(len(path) / sensor_ms) - 1):
        time = sensor.phase + look * sensor.period
        at = min(len(path) - 2, int(time))
        part = min(1.0, max(0.0, time - at))
        x = round(path[at][0] * (1 - part) + path[at + 1][0] * part)
        y = round(path[at][1] * (1 - part) + path[at + 1][1] * part)
        if before and max(abs(x - before[0]), abs(y - before[1])) < least:
            continue
        before = (x, y)
        seen = time + abs(draw.gauss(0.0, uneven)) if uneven else time
        if link:
            slot = link.after(seen)
            if pending and pending[0] == slot:
                # One report per connection event: it carries the newest position.
                out[-1] = (out[-1][0], x, y)
                continue
            pending = (slot,)
            delivered = link.delivered(slot)
        else:
            while slip and draw.random() < slip:
                seen += sensor_ms
            delivered = seen + abs(draw.gauss(0.0, jitter))
        last = max(last + 0.02, delivered)
        out.append((last, x, y))
    return out


def style(name):
    """Which kind of hand moves this device."""
    return POINTERS[name][0]
