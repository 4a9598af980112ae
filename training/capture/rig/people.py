"""Simulated people: what fingers and hands do, before any device reports it. No recording of a person is read.

Typist. Press intervals are log-normal about a personal median, shifted by the pair of keys: alternating hands are
quicker, one finger twice is slower, digits, punctuation, enter and erasing take longer, and each pair has a habit of
its own. Dwells are log-normal and independent of intervals, so that keys roll over as they do in fast typing.

Pointer. Targets drawn over the screen are reached by minimum-jerk submovements (Flash and Hogan 1985) whose end points
miss in proportion to their length (signal-dependent noise, Harris and Wolpert 1998), each followed by a smaller
correction; between them the hand rests, drifts along a line of text, and trembles at 8 to 12 Hz.

These are not the generators of `training/src/corpus`: what is fitted on those can be measured on recordings made here.
"""

import math
import random

# X keycodes of the usual evdev map, with the key classes of the wire contract (proto, `KeyClass`).
LETTER, DIGIT, PUNCTUATION, SPACE, ENTER, ERASE, MODIFIER = 1, 2, 3, 4, 5, 6, 7
_ROWS = (("qwertyuiop", 24), ("asdfghjkl", 38), ("zxcvbnm", 52))
KEYCODES = {letter: first + at for row, first in _ROWS for at, letter in enumerate(row)}
KEYCODES.update({digit: 10 + at for at, digit in enumerate("1234567890")})
KEYCODES.update({",": 59, ".": 60, " ": 65, "\n": 36, "\b": 22, "shift": 50})
CLASSES = {
    code: LETTER if key.isalpha() and len(key) == 1 else DIGIT if key.isdigit() else
    {",": PUNCTUATION, ".": PUNCTUATION, " ": SPACE, "\n": ENTER, "\b": ERASE, "shift": MODIFIER}[key]
    for key, code in KEYCODES.items()
}
# Shares of letters in English running text, percent.
_LETTERS = dict(zip("etaoinshrdlcumwfgypbvkjxqz", (
    12.7, 9.1, 8.2, 7.5, 7.0, 6.7, 6.3, 6.1, 6.0, 4.3, 4.0, 2.8, 2.8, 2.4, 2.4, 2.2, 2.0, 2.0, 1.9, 1.5, 1.0, .8, .15,
    .15, .1, .07)))
_FINGERS = {key: finger for finger, keys in enumerate(("qaz", "wsx", "edc", "rfvtgb", "yhnujm", "ik", "ol", "p"))
            for key in keys}
# Logarithm of how much longer it takes to reach a class.
_REACH = {LETTER: 0.0, SPACE: -0.05, PUNCTUATION: 0.3, DIGIT: 0.4, ENTER: 0.5, ERASE: 0.3, MODIFIER: 0.15}
_DWELL = {LETTER: 1.0, SPACE: 0.95, PUNCTUATION: 0.95, DIGIT: 0.95, ENTER: 1.0, ERASE: 0.85, MODIFIER: 1.9}

INTERVAL_MAX_MS = 600.0
DWELL_RANGE_MS = (22.0, 420.0)


class Typist:
    """A hand on a keyboard. The habits belong to the seed."""

    def __init__(self, seed):
        self.random = random.Random(f"typist-{seed}")
        draw = self.random
        self.interval_ms = min(300.0, max(95.0, draw.lognormvariate(math.log(150.0), 0.28)))
        self.interval_sigma = draw.uniform(0.22, 0.42)
        self.dwell_ms = min(160.0, max(58.0, draw.lognormvariate(math.log(95.0), 0.22)))
        self.dwell_sigma = draw.uniform(0.15, 0.32)
        self.erase_share = draw.uniform(0.02, 0.07)
        self.pause_share = draw.uniform(0.02, 0.06)
        self._habits = {}

    def _habit(self, before, key):
        return self._habits.setdefault((before, key), self.random.gauss(0.0, 0.16))

    def _text(self, count):
        draw, keys, word = self.random, [], 0
        while len(keys) < count:
            chance = draw.random()
            if word and chance < 0.19:
                keys.append(" ")
                word = 0
            elif chance < 0.19 + self.erase_share:
                keys.append("\b")
            elif chance < 0.27:
                keys.append(draw.choice(",..\n1234567890"))
            elif chance < 0.30:
                keys += ["shift", draw.choices(list(_LETTERS), _LETTERS.values())[0]]
                word += 1
            else:
                keys.append(draw.choices(list(_LETTERS), _LETTERS.values())[0])
                word += 1
        return keys[:count]

    def type(self, count):
        """Presses and releases as (milliseconds, keycode, down), in order of time."""
        draw, events, clock, before = self.random, [], 0.0, None
        held = {}
        for key in self._text(count):
            code = KEYCODES[key]
            reach = _REACH[CLASSES[code]] + self._habit(before, key)
            if before in _FINGERS and key in _FINGERS:
                same_finger = _FINGERS[before] == _FINGERS[key]
                same_hand = (_FINGERS[before] < 4) == (_FINGERS[key] < 4)
                reach += 0.22 if same_finger and before != key else 0.04 if same_hand else -0.10
            interval = self.interval_ms * math.exp(reach + draw.gauss(0.0, self.interval_sigma))
            if draw.random() < self.pause_share:
                interval += draw.lognormvariate(math.log(250.0), 0.5)
            if before is not None:
                clock += min(INTERVAL_MAX_MS, max(18.0, interval))
            dwell = self.dwell_ms * _DWELL[CLASSES[code]] * math.exp(draw.gauss(0.0, self.dwell_sigma))
            dwell = min(DWELL_RANGE_MS[1], max(DWELL_RANGE_MS[0], dwell))
            if held.get(code, -1000.0) + 12.0 > clock:
                # A finger must come up before it goes down again.
                clock = held[code] + draw.uniform(15.0, 45.0)
            release = clock + dwell
            held[code] = release
            events += [(clock, code, 1), (release, code, 0)]
            before = key
        return sorted(events)


class Hand:
    """A hand on a pointing device. `style`: "mouse", "touchpad", "trackball" or "tablet"."""

    def __init__(self, seed, style="mouse", width=800, height=600):
        self.random = random.Random(f"hand-{style}-{seed}")
        draw = self.random
        self.style, self.width, self.height = style, width, height
        self.pace = draw.lognormvariate(0.0, 0.25) * {"mouse": 1.0, "touchpad": 1.3, "trackball": 1.4, "tablet": 0.9}[style]
        self.rest_ms = draw.lognormvariate(math.log(260.0), 0.4)
        self.drift_share = draw.uniform(0.10, 0.5)
        self.tremor = draw.uniform(0.05, 0.5) * (1.6 if style == "tablet" else 1.0)
        self.tremor_hz = draw.uniform(8.0, 12.0)
        self.noise = draw.uniform(0.03, 0.08)
        self.click_share = draw.uniform(0.1, 0.3)

    def path(self, length_ms):
        """(positions per millisecond, clicks): floats in pixels, and (millisecond, down) of the left button."""
        draw, out, clicks = self.random, [], []
        x, y, phase, shake = self.width / 2, self.height / 2, draw.uniform(0, 6.28), [0.0, 0.0]

        def put(px, py):
            for axis in (0, 1):
                shake[axis] = 0.985 * shake[axis] + draw.gauss(0.0, 0.05) * self.tremor
            angle = phase + len(out) * self.tremor_hz * 2 * math.pi / 1000.0
            wobble = self.tremor * 0.4
            out.append((px + shake[0] + wobble * math.sin(angle), py + shake[1] + wobble * math.cos(1.1 * angle)))

        def submove(to_x, to_y, span, bow):
            nonlocal x, y
            length = math.hypot(to_x - x, to_y - y) or 1.0
            across = ((y - to_y) / length * bow, (to_x - x) / length * bow)
            for step in range(1, span + 1):
                s = step / span
                done, swing = s ** 3 * (10 - 15 * s + 6 * s * s), math.sin(math.pi * s)
                put(x + (to_x - x) * done + across[0] * swing, y + (to_y - y) * done + across[1] * swing)
            x, y = to_x, to_y

        while len(out) < length_ms:
            drifting = draw.random() < self.drift_share
            if drifting:
                # Reading along a line with the pointer: slow, level, hesitating.
                goal_x = min(self.width - 60.0, max(60.0, x + draw.choice((-1, 1)) * draw.uniform(15.0, 120.0)))
                goal_y, span = y + draw.gauss(0.0, 2.0), draw.uniform(500.0, 1600.0)
            else:
                goal_x, goal_y = draw.uniform(60.0, self.width - 60.0), draw.uniform(60.0, self.height - 60.0)
                distance = math.hypot(goal_x - x, goal_y - y)
                span = self.pace * (90.0 + 130.0 * math.log2(distance / draw.uniform(8.0, 60.0) + 1.0))
            whole = math.hypot(goal_x - x, goal_y - y) or 1.0
            for _ in range(draw.randint(1, 4)):
                length = math.hypot(goal_x - x, goal_y - y)
                if length < 1.5:
                    break
                reach = draw.uniform(0.85, 1.03) if length == whole else draw.uniform(0.8, 1.1)
                stroke = 1.0
                if self.style in ("touchpad", "trackball") and length > 160.0:
                    # A finger runs out of pad: the way is made of several strokes.
                    stroke = 160.0 / length
                aim_x = x + (goal_x - x) * reach * stroke + draw.gauss(0.0, self.noise * length * stroke)
                aim_y = y + (goal_y - y) * reach * stroke + draw.gauss(0.0, self.noise * length * stroke)
                share = max(0.05, math.hypot(aim_x - x, aim_y - y) / whole)
                submove(min(self.width - 30.0, max(30.0, aim_x)), min(self.height - 30.0, max(30.0, aim_y)),
                        max(60, int(span * share ** 0.4)), draw.gauss(0.0, 0.06) * length)
                for _ in range(int(draw.expovariate(1 / (110.0 if stroke < 1 else 35.0)))):
                    put(x, y)
            if not drifting and draw.random() < self.click_share:
                clicks += [(len(out) + 40, 1), (len(out) + 40 + int(draw.uniform(60, 130)), 0)]
                for _ in range(240):
                    put(x, y)
            for _ in range(int(min(1500.0, draw.expovariate(1 / self.rest_ms)))):
                put(x, y)
        return out[:length_ms], [click for click in clicks if click[0] < length_ms - 200]
