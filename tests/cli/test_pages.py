"""The pages' pictures, tables and printed runs, made from a result of the lab that lies in samples."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from verbs import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import pages  # noqa: E402
import plots  # noqa: E402

RESULT = json.loads((ROOT / "tests/cli/samples/lab/samples.json").read_text())
SVG = "{http://www.w3.org/2000/svg}"


def page(tmp_path, text, name="page.md"):
    path = tmp_path / name
    path.write_text(text)
    return path


def drawn(tmp_path, *panels):
    path = page(tmp_path, "<!-- picture one.svg\nrun: incident\n" + "\n".join(panels) + "\n-->\n")
    assert pages.renew(str(path), {("incident",): (RESULT, "")}) == [str(tmp_path / "one.svg")]
    return ElementTree.parse(tmp_path / "one.svg")


def texts(svg):
    return [e.text for e in svg.iter(SVG + "text")]


def test_panels(tmp_path):
    svg = drawn(tmp_path, "panel: Good = rate overload/good", "beside: Slots = lines overload/server.used",
                "panel: Refused = bars overload/refused, log:p99 rows=naive,weir")
    found = texts(svg)
    for title in ("Good", "Slots", "Refused", "refused", "p99 (log)"):
        assert title in found
    assert found.count("naive") == 3
    assert len(svg.findall(f".//{SVG}path")) == 2 * len(RESULT["acts"][0]["variants"])


def test_a_picture_has_colours_for_both_kinds_of_page(tmp_path):
    style = drawn(tmp_path, "panel: bars overload/good").find(f".//{SVG}style").text
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    names = re.compile(r"\.([\w-]+)\{(?:fill|stroke):#")
    assert names.findall(dark) and set(names.findall(dark)) <= set(names.findall(light))

    def brightness(css, name):
        colour = re.search(rf"\.{name}\{{(?:fill|stroke):#(\w{{6}})", css)[1]
        parts = [int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    # WCAG: 4.5 for text, 3 for what is drawn
    for css in (light, dark):
        for name in names.findall(css):
            lights = sorted((brightness(css, name), brightness(css, "paper")))
            contrast = (lights[1] + 0.05) / (lights[0] + 0.05)
            wanted = {"paper": 1, "grid": 1, "axis": 2, "ink": 7, "dim": 4.5}.get(name, 3)
            assert contrast >= wanted, (name, contrast)


def test_all_of_it_lies_inside(tmp_path):
    svg = drawn(tmp_path, "panel: bars overload/good, p50, p99", "panel: Slots = lines overload/server.used")
    _, _, width, height = map(float, svg.getroot().get("viewBox").split())
    for e in svg.iter():
        for key, most in (("x", width), ("x2", width), ("y", height), ("y2", height)):
            assert 0 <= float(e.get(key, 0)) <= most
        if e.tag == SVG + "rect":
            assert float(e.get("x", 0)) + float(e.get("width")) <= width


def swept():
    """The result with two rows, at two values of a parameter, and one of a constant."""
    document = json.loads(json.dumps(RESULT))
    act = document["acts"][0]
    act["sweep"] = [{"name": "timeout", "values": ["none", "1s"], "variants": ["naive"]},
                    {"name": "own", "values": ["none"], "variants": ["naive"]}]
    one, two = (json.loads(json.dumps(act["variants"][0])) for _ in range(2))
    one["point"], two["point"] = {"timeout": "none", "own": "none"}, {"timeout": "1s", "own": "none"}
    two["label"], two["valid"] = "naive timeout=1s own=none", False
    two["figures"]["good_share"] = {"median": 0.5, "low": 0.5, "high": 0.5, "values": [0.5]}
    act["variants"] = [one, two]
    return document


def test_a_sweep(tmp_path):
    path = page(tmp_path, "<!-- picture one.svg\nrun: incident\n"
                "panel: Good = sweep overload/good_share over timeout\n-->\n")
    pages.renew(str(path), {("incident",): (swept(), "")})
    svg = ElementTree.parse(tmp_path / "one.svg")
    assert len(svg.findall(f".//{SVG}circle")) == 2 and len(svg.findall(f".//{SVG}path")) == 1
    for words in ("none", "1s", "timeout", "naive"):
        assert words in texts(svg)


def test_a_table(tmp_path):
    path = page(tmp_path, "a\n<!-- table\nrun: incident\nact: overload\nrows: naive\n"
                "figures: good_share p99\n-->\nold\n<!-- end -->\nb\n")
    runs = {("incident",): (swept(), "")}
    assert pages.renew(str(path), runs) == [str(path)]
    text = path.read_text()
    assert "old" not in text and text.startswith("a\n<!-- table") and text.endswith("<!-- end -->\nb\n")
    assert "| | good share | p99 |\n|---|---:|---:|\n" in text
    assert "| naive timeout=1s (!) | 50 % | " in text and "\n(!) A program waited" in text
    assert "\nLinux " in text
    # filled again it is the same
    assert pages.renew(str(path), runs) == []
    path.write_text(text.replace("act:", "notes: no\nheads: gut, spät\nact:"))
    pages.renew(str(path), runs)
    assert "| | gut | spät |" in path.read_text() and "(!)" not in path.read_text()


def test_what_was_printed(tmp_path):
    (tmp_path / "scenarios").mkdir()
    path = page(tmp_path, "<!-- run -->\n<!-- end -->\n", "scenarios/incident.md")
    pages.renew(str(path), {("incident",): (RESULT, "Act one\n  row\n\nWritten: x\n")})
    assert path.read_text() == "<!-- run -->\n```\nAct one\n  row\n```\n<!-- end -->\n"


@pytest.mark.parametrize(("panel", "said"), (
    ("bars nothing", "nothing: no such figure"), ("bars gone/good", "no act 'gone'"),
    ("lines overload/x rows=gone", "no rows of gone"), ("pies good", "what panel"),
    ("sweep overload/good over x", "sweeps no 'x'")))
def test_what_cannot_be_drawn(tmp_path, panel, said):
    with pytest.raises(ValueError, match=said):
        drawn(tmp_path, "panel: " + panel)


def test_figures_for_the_eye():
    for value, unit, words in ((0.9583, "share", "95.8 %"), (1234.5, "ms", "1.23 s"), (None, "ms", "–"),
                               (12.345, "ms", "12.3 ms"), (20540, "count", "20,540"),
                               (331.2, "rate", "331/s")):
        assert plots.said(value, unit) == words


def test_pictures_names_what_it_can_make():
    done = subprocess.run([ROOT / "scripts/pictures", "--redraw", "nothing"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 2 and "no page shows a run of nothing" in done.stderr
