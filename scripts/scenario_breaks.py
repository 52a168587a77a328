"""Shows that each line which a scenario expects can fail: what breaks it, and the runs that show so.

tests/breaks/NAME.yaml is a list of breaks, each a map:

    act      the scenario's act; left out where it has no acts
    short    what makes a run of it shorter; then a run with that alone must hold all the lines
    change   the one thing that is otherwise
    fails    lines of the act that do not hold any more

short and change are put over the act (or the file): maps are merged key by key, anything else takes
the place of what was there, and ~ takes a key away. What is run is a scenario of its own: that act,
these lines, and the variants that they speak of.
"""

import json
import os
import re

import yaml

SCENARIOS, BREAKS = os.path.join("lab", "scenarios"), os.path.join("tests", "breaks")
KEYS = {"act", "short", "change", "fails"}
FIGURE_OF = re.compile(r"([\w-]+)(?:\[[^\]]*\])?\.[a-z]")


class Fault(Exception):
    """What is wrong with a break, in words."""


def read(root, folder, name):
    """The file with all values as they are written: `no` is a word, and 1.98/s is one too."""
    with open(os.path.join(root, folder, name + ".yaml"), encoding="utf-8") as file:
        return yaml.load(file, yaml.BaseLoader)


def names(root, folder=SCENARIOS):
    return sorted(f[:-5] for f in os.listdir(os.path.join(root, folder)) if f.endswith(".yaml"))


def acts_of(scenario):
    """{name: act}; a file without acts is one, named None."""
    return scenario.get("acts") or {None: scenario}


def merged(base, over):
    if not isinstance(over, dict):
        return over
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in over.items():
        if value == "~":
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def variants_in(lines, variants):
    """Those that the lines speak of."""
    spoken = {word for line in lines for word in FIGURE_OF.findall(line)}
    return {name: of for name, of in variants.items() if name in spoken}


class Break:
    def __init__(self, name, number, scenario, entry):
        if not isinstance(entry, dict) or not {"change", "fails"} <= set(entry) <= KEYS:
            raise Fault("a break has change and fails, and may have act and short")
        self.name, self.number = name, number
        self.scenario, self.act = scenario, entry.get("act")
        self.short, self.change = entry.get("short", {}), entry["change"]
        self.fails = entry["fails"]
        if self.act not in acts_of(scenario):
            raise Fault(f"there is no act {self.act}" if self.act else "act is missing")
        self._check()

    def _check(self):
        act = acts_of(self.scenario)[self.act]
        for line in self.fails:
            if line not in act.get("expect", []):
                raise Fault(f"nobody expects {line}")
        run = variants_in(self.fails, act["variants"])
        for name in set(self.change.get("variants", {})) | set(self.short.get("variants", {})):
            if name not in run:
                raise Fault(f"no line of it speaks of {name}, which it changes")

    @property
    def label(self):
        return f"{self.name}:{self.number}"

    def document(self, *over):
        """Its scenario with these put over it, as YAML (JSON is)."""
        out = {k: v for k, v in self.scenario.items() if k not in ("full", "acts")}
        act = {k: v for k, v in acts_of(self.scenario)[self.act].items() if k not in ("full", "acts")}
        for one in over:
            act = merged(act, one)
        act["expect"] = self.fails
        act["variants"] = variants_in(self.fails, act["variants"])
        out = {**out, "acts": {self.act: act}} if self.act else act
        return json.dumps(out, ensure_ascii=False, indent=1)

    def forms(self):
        """[(what, document, whether its lines hold)]"""
        whole = [("short", self.document(self.short), True)] if self.short else []
        return whole + [("broken", self.document(self.short, self.change), False)]


def breaks_of(root, name):
    """All of a scenario; raises Fault."""
    scenario = read(root, SCENARIOS, name)
    entries = read(root, BREAKS, name)
    return [Break(name, i, scenario, entry) for i, entry in enumerate(entries, 1)]


def find_faults(root):
    """(path, words) for each line that no break is listed for, or more than one, and for each break
    of what there is not."""
    for name in sorted(set(names(root)) | set(names(root, BREAKS))):
        path = os.path.join(BREAKS, name + ".yaml")
        if name not in names(root):
            yield path, f"there is no scenario {name}"
        elif name not in names(root, BREAKS):
            yield path, f"is missing: {name} expects lines, and what breaks them?"
        else:
            yield from faults_of(root, name, path)


def faults_of(root, name, path):
    try:
        breaks = breaks_of(root, name)
    except Fault as fault:
        yield path, str(fault)
        return
    for act, of in acts_of(read(root, SCENARIOS, name)).items():
        listed = [line for b in breaks if b.act == act for line in b.fails]
        where = f"act {act}, " if act else ""
        for line in of.get("expect", []):
            if listed.count(line) != 1:
                times = "is not listed" if line not in listed else "is listed more than once"
                yield path, f"{where}{line}: what breaks it {times}"
