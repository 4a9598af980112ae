"""Writes src/evidence/timezone/calendars.json: on which days people of a place are free by law.

    python -m venv venv && venv/bin/pip install holidays==0.109
    venv/bin/python training/calendars/make_calendars.py

The dates come from the Python package `holidays` (MIT, Vacanza Team and contributors), which is read when the file is
made and never when a service runs. What is written is dates alone: no name of a holiday, none of a faith.

A day is *free* in a region when the whole region has it by law, *perhaps* when a part of the region has it, or some
people, or half of it. Rest days of the week are not written, nor 24 December to 2 January: most offices of the world
are thinly staffed then, and whoever is not there keeps no calendar by it.

Regions whose free days are much alike make a calendar group. The groups are numbered by the people in them, the 48
with the most are kept. A day is free in a group when most of its people have it.
"""

import datetime
import json
import pathlib

import holidays

FIRST, LAST = 2012, 2031
EPOCH = datetime.date(1970, 1, 1)
GROUPS_MAX = 48
# Two groups join when their members share this part of their days, on average.
ALIKE = 0.3
# Not everybody's day off: law names them, few employers keep them. Measured on commit times of authors on American
# clocks, these days saw .6 to .8 of the activity of the weeks around them, the others .2 to .4.
KEPT_BY_FEW = {
    "US": ["Martin Luther King Jr. Day", "Washington's Birthday", "Columbus Day", "Veterans Day", "Juneteenth"],
}
# Holidays of schools and makers of noise are nobody's day off.
NO_DAY_OFF = {"school", "workday"}

# People, millions, about 2024 (United Nations, World Population Prospects), of places above 20; the others count one.
PEOPLE = {
    "IN": 1450, "CN": 1419, "US": 345, "ID": 283, "PK": 251, "NG": 233, "BR": 212, "BD": 174, "RU": 145, "ET": 132,
    "MX": 131, "JP": 124, "EG": 117, "PH": 116, "CD": 109, "VN": 101, "IR": 92, "TR": 87, "DE": 85, "TH": 72, "TZ": 69,
    "GB": 69, "FR": 67, "ZA": 64, "IT": 59, "KE": 56, "MM": 55, "CO": 53, "KR": 52, "SD": 50, "UG": 50, "ES": 48,
    "DZ": 47, "IQ": 46, "AR": 46, "AF": 43, "YE": 41, "CA": 40, "PL": 39, "MA": 38, "AO": 38, "UA": 38, "UZ": 36,
    "MY": 36, "MZ": 35, "GH": 34, "PE": 34, "SA": 34, "MG": 32, "CI": 32, "NP": 30, "CM": 29, "VE": 28, "NE": 27,
    "AU": 27, "KP": 26, "SY": 25, "ML": 24, "BF": 24, "TW": 23, "LK": 23, "MW": 22, "ZM": 21, "KZ": 21, "TD": 20,
    "CL": 20,
}


def counted(day, rest):
    turn_of_year = (day.month, day.day) >= (12, 24) or (day.month, day.day) <= (1, 2)
    return day.weekday() not in rest and not turn_of_year and FIRST <= day.year <= LAST


def calendar(code, names):
    years = range(FIRST, LAST + 1)
    named = holidays.country_holidays(code, years=years)
    rest = sorted(named.weekend)
    few = KEPT_BY_FEW.get(code, [])
    free = {day for day in named if counted(day, rest) and not any(part in named[day] for part in few)}
    perhaps = {day for day in named if counted(day, rest)} - free
    for subdivision in named.subdivisions:
        perhaps |= {day for day in holidays.country_holidays(code, subdiv=subdivision, years=years)}
    for category in set(named.supported_categories) - NO_DAY_OFF:
        for subdivision in [None, *named.subdivisions]:
            perhaps |= {
                day
                for day in holidays.country_holidays(code, subdiv=subdivision, years=years, categories=category)
            }
    perhaps = {day for day in perhaps if counted(day, rest)} - free
    return rest, free, perhaps


def alike(a, b):
    return len(a & b) / max(1, len(a | b))


def clusters(calendars):
    """Average linkage over the shared part of free days."""
    codes = [code for code, (_, free, _) in calendars.items() if len(free) >= 2 * (LAST - FIRST + 1)]
    groups = {code: [code] for code in codes}
    near = {(a, b): alike(calendars[a][1], calendars[b][1]) for a in codes for b in codes if a < b}
    while near:
        (a, b), best = max(near.items(), key=lambda item: (item[1], item[0]))
        if best < ALIKE:
            break
        for other in groups:
            if other in (a, b):
                continue
            to = lambda one: near.pop((min(one, other), max(one, other)))
            of_a, of_b = to(a), to(b)
            size_a, size_b = len(groups[a]), len(groups[b])
            near[(min(a, other), max(a, other))] = (size_a * of_a + size_b * of_b) / (size_a + size_b)
        near.pop((a, b))
        groups[a] += groups.pop(b)
    return list(groups.values())


def deltas(days):
    numbers = sorted((day - EPOCH).days for day in days)
    return [number - before for before, number in zip([0, *numbers], numbers)]


def main():
    codes = sorted(code for code in holidays.list_supported_countries(include_aliases=False) if len(code) == 2)
    calendars = {code: calendar(code, None) for code in codes}
    people = lambda group: sum(PEOPLE.get(code, 1) for code in group)
    kept = sorted(clusters(calendars), key=lambda group: (-people(group), group))[:GROUPS_MAX]
    groups, group_of = [], {}
    for index, group in enumerate(kept):
        group_of.update({code: index for code in group})
        whole = people(group)
        share = lambda day, part: sum(PEOPLE.get(code, 1) for code in group if day in calendars[code][part]) / whole
        days = set().union(*(calendars[code][1] | calendars[code][2] for code in group))
        free = {day for day in days if share(day, 1) >= 0.5}
        largest = max(group, key=lambda code: (PEOPLE.get(code, 1), code))
        groups.append({"leading": largest, "rest": calendars[largest][0], "free": deltas(free),
                       "perhaps": deltas(days - free)})
    regions = [
        {"code": code, "group": group_of.get(code), "rest": rest, "free": deltas(free), "perhaps": deltas(perhaps)}
        for code, (rest, free, perhaps) in calendars.items()
        if free
    ]
    file = {
        "calendars_version": 1,
        "source": f"Python package holidays {holidays.__version__}, https://github.com/vacanza/holidays",
        "licence": "MIT, copyright Vacanza Team and individual contributors (see their CONTRIBUTORS file), "
        "dr-prodigy <dr.prodigy.github@gmail.com> (c) 2017-2023, ryanss <ryanssdev@icloud.com> (c) 2014-2017",
        "first_year": FIRST,
        "last_year": LAST,
        "groups": groups,
        "regions": regions,
    }
    path = pathlib.Path(__file__).resolve().parents[2] / "src/evidence/timezone/calendars.json"
    lines = json.dumps(file, separators=(",", ":")).replace('{"code"', '\n{"code"').replace('{"leading"', '\n{"leading"')
    path.write_text(lines + "\n")
    print(f"{len(groups)} groups, {len(regions)} regions, {path.stat().st_size} bytes")
    for index, group in enumerate(kept):
        print(f"  group {index}: {people(group)} million, {' '.join(group)}")


if __name__ == "__main__":
    main()
