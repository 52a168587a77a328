"""weir lab report: the page read as people read it, in Chromium, and its arithmetic under Node."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from browser import chromium
from verbs import ROOT, WEIR, eventually

SAMPLE = Path(__file__).parent / "samples" / "lab" / "samples.json"
PAGE = ROOT / "src" / "lab" / "page"
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u202e\"'&lt;"


def report(folder, *words):
    return subprocess.run([WEIR, "lab", "report", *words], cwd=folder, text=True,
                          capture_output=True, timeout=60, check=False)


def made(folder, doc):
    """The page of a result."""
    (folder / "samples.json").write_text(json.dumps(doc))
    done = report(folder, str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Written: {folder}/report.html and report.md\n"
    return folder / "report.html"


@pytest.fixture(scope="module")
def doc():
    return json.loads(SAMPLE.read_text())


@pytest.fixture(scope="module")
def page(doc, tmp_path_factory):
    return made(tmp_path_factory.mktemp("page"), doc)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with chromium(folder, logs=("browser", "performance")) as driver:
        driver.downloads = folder / "downloads"
        driver.downloads.mkdir()
        driver.execute_cdp_cmd("Browser.setDownloadBehavior",
                               {"behavior": "allow", "downloadPath": str(driver.downloads)})
        yield driver


def look(driver, page, width=1280, scheme="light"):
    """Opens the page so; nothing may be said on the console, and nothing be asked of a network."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    driver.get_log("performance")
    driver.get(page.as_uri())
    assert driver.execute_script("return document.documentElement.dataset.ready") == "yes"
    assert driver.get_log("browser") == []
    asked = [e["params"]["request"]["url"] for e in (
        json.loads(e["message"])["message"] for e in driver.get_log("performance"))
        if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]


def table(driver, caption):
    """Each table of that caption as rows of texts, the spread left out."""
    return driver.execute_script("""
        return [...document.querySelectorAll('table')]
            .filter(t => t.caption.textContent.startsWith(arguments[0]))
            .map(t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => {
                const copy = c.cloneNode(true);
                copy.querySelectorAll('.spread, .hidden').forEach(s => s.remove());
                return copy.textContent.trim(); })));""", caption)


def duration(ms):
    """As the page writes it."""
    if ms == 0:
        return "0 ms"
    for unit, factor, end in ("µs", 1000, 0.9995), ("ms", 1, 999.5), ("s", 0.001, 119500):
        if ms < end:
            n = ms * factor
            size = math.floor(math.log10(float(f"{n:.2e}")))
            return f"{n:.{max(0, 2 - size)}f} {unit}"
    return f"{round(ms / 1000) // 60}m {round(ms / 1000) % 60}s"


# ---- what it shows ----------------------------------------------------------------------------


@pytest.mark.parametrize("width, scheme", LOOKS)
def test_the_page_shows_the_figures(width, scheme, doc, page, browser):
    look(browser, page, width, scheme)
    tables = table(browser, "What each variant came to")
    assert len(tables) == len(doc["acts"])
    for rows, act in zip(tables, doc["acts"]):
        assert [row[0] for row in rows] == [v["label"] for v in act["variants"]]
        for row, v in zip(rows, act["variants"]):
            known = {key: f["median"] if f else None for key, f in v["figures"].items()}
            counts = [known[k] for k in ("refused", "good", "late", "failed", "unanswered")]
            assert row[3:8] == [f"{n:,}" for n in counts]
            assert row[8:11] == [duration(known[k]) for k in ("p50_ms", "p99_ms", "max_ms")]
            sockets = [known[side + state] for state in ("established", "time_wait", "fin_wait2")
                       for side in ("in_", "")]
            assert row[11:17] == [f"{n:,}" for n in sockets]
            assert row[17:] == [f"{known[k]:,}" for k in ("slots_peak", "slots_limit",
                                                          "abandoned")]
    # nothing is wider than the page but inside frames that scroll
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("""
        return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') &&
            !e.closest('.hidden') && e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 80));""") == []


# how protanopes, deuteranopes and tritanopes see linear RGB (Machado and others, 2009)
SIGHTS = [((1, 0, 0), (0, 1, 0), (0, 0, 1)),
          ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
           (-0.003882, -0.048116, 1.051998)),
          ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
           (-0.011820, 0.042940, 0.968881)),
          ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
           (0.004733, 0.691367, 0.303900))]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def oklab(rgb):
    cones = times(((0.4122214708, 0.5363325363, 0.0514459929),
                   (0.2119034982, 0.6806995451, 0.1073969566),
                   (0.0883024619, 0.2817188376, 0.6299787005)), rgb)
    return times(((0.2104542553, 0.7936177850, -0.0040720468),
                  (1.9779984951, -2.4285922050, 0.4505937099),
                  (0.0259040371, 0.7827717662, -0.8086757660)),
                 [max(0, c) ** (1 / 3) for c in cones])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_each_other(scheme, page, browser):
    """By all kinds of colour sight: apart in OKLab by ten times what can just be seen."""
    look(browser, page, 1280, scheme)
    found = browser.execute_script("""
        const style = getComputedStyle(document.documentElement);
        return [...Array(8).keys()].map(i => style.getPropertyValue(`--v${i}`).trim());""")
    for sight in SIGHTS:
        seen = [oklab([min(1, max(0, c)) for c in times(sight, linear(c))]) for c in found]
        apart = [(math.dist(seen[i], seen[j]), found[i], found[j])
                 for i in range(8) for j in range(i)]
        assert min(apart)[0] > 0.12, min(apart)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_the_paper(scheme, page, browser):
    """3:1 for what is drawn, 4.5:1 for what is read (WCAG 1.4.11, 1.4.3)."""
    look(browser, page, 1280, scheme)
    names = [f"--v{i}" for i in range(8)] + ["--ink", "--faint", "--link", "--bad", "--paper",
                                             "--panel"]
    found = browser.execute_script("""
        const style = getComputedStyle(document.documentElement);
        return arguments[0].map(name => style.getPropertyValue(name).trim());""", names)

    colours = {name: sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(colour)))
               for name, colour in zip(names, found)}
    assert (colours["--paper"] > 0.9) == (scheme == "light")
    for name in names[:12]:
        for ground in "--paper", "--panel":
            high, low = sorted((colours[name], colours[ground]), reverse=True)
            least = 4.5 if not name.startswith("--v") else 3 if ground == "--paper" else 2.8
            assert (high + 0.05) / (low + 0.05) >= least, (name, ground, scheme)


def test_verdict_and_words(doc, page, browser):
    look(browser, page)
    verdicts = browser.execute_script(
        "return [...document.querySelectorAll('.verdict')].map(v => v.textContent)")
    assert len(verdicts) == 3
    naive = next(v for v in doc["acts"][0]["variants"] if v["name"] == "naive")
    words = naive["words"][0]
    assert f"“{words['text']}”" in verdicts[0] and f"{words['count']:,} times" in verdicts[0]
    good, all_of = (naive["figures"][k]["median"] for k in ("good", "started"))
    assert f"With naive only {good} of {all_of} requests got a good answer" in verdicts[0]
    quotes = browser.execute_script(
        "return [...document.querySelectorAll('blockquote .words')].map(w => w.textContent)")
    assert quotes[0] == words["text"]
    markdown = (page.parent / "report.md").read_text()
    plain = re.sub(r"\\(.)", r"\1", markdown)
    for text in verdicts:
        sentence = text.split("What was wrong")[1].split("What shows it")[0]
        assert sentence.replace("\u00a0", " ") in plain


def test_expectations(doc, page, browser):
    look(browser, page)
    rows = [row for rows in table(browser, "What was expected") for row in rows]
    wanted = [e for act in doc["acts"] for e in act["expect"]]
    assert [row[0] for row in rows] == [e["text"] for e in wanted]
    held = {True: "✓ held", False: "✗ did not hold", None: "? not judged"}
    assert [row[1] for row in rows] == [held[e["held"]] for e in wanted]
    assert "✗ Not all expectations held." in browser.find_element("id", "main").text


def test_invalid_runs_are_said_first(doc, tmp_path, browser):
    bad = json.loads(json.dumps(doc))
    v = bad["acts"][0]["variants"][0]
    v.update(valid=False, invalid_why="the callers were late")
    bad["valid"] = False
    look(browser, made(tmp_path, bad))
    first = browser.find_element("css selector", ".verdict").text
    assert first.startswith("An overloaded server\nNot valid: naive (the callers were late).")
    assert "What cures it" not in first
    assert "Some runs are not valid." in browser.find_element("id", "main").text


# ---- the cursor, keys and choices -------------------------------------------------------------


def figure_values(driver, act, key):
    """What stands beside each line's name under a plot."""
    return dict(driver.execute_script("""
        const section = document.getElementById(arguments[0]).closest('section');
        const figure = section.querySelector(`[data-figure="${arguments[1]}"]`);
        return [...figure.querySelectorAll('.legend li')].map(li =>
            [li.querySelector('.name').textContent, li.querySelector('.value').textContent]);""",
                                      f"act-{act}", key))


def cursors(driver, act):
    """Where the cursor stands in each plot over time, as shares of the plots' widths."""
    return driver.execute_script("""
        const section = document.getElementById(`act-${arguments[0]}-times`).closest('section');
        return [...section.querySelectorAll('.hair')].filter(h => !h.hidden).map(h =>
            parseFloat(h.style.left) / h.parentNode.clientWidth);""", act)


def nearest(run, column, at):
    times = run["series"]["t_ms"]
    i = min(range(len(times)), key=lambda i: abs(times[i] / 1000 - at))
    return run["series"][column][i]


@pytest.mark.parametrize("width", [1280, 390])
def test_keys_move_one_cursor_in_all_plots(width, doc, page, browser):
    from selenium.webdriver.common.keys import Keys
    look(browser, page, width)
    slider = browser.find_element("id", "act-0-times-cursor")
    assert cursors(browser, 0) == []
    naive = doc["acts"][0]["variants"][0]["runs"][0]
    top = max(naive["series"]["middleware.out.time_wait"])
    assert figure_values(browser, 0, "middleware-out-time_wait")["naive"] == f"max {top:,}"
    slider.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 103)
    assert slider.get_attribute("aria-valuetext") == "10.3 s"
    places = cursors(browser, 0)
    assert len(places) > 15
    assert max(places) - min(places) < 0.01
    assert figure_values(browser, 0, "middleware-out-time_wait")["naive"] == \
        f"{nearest(naive, 'middleware.out.time_wait', 10.3):,}"
    assert figure_values(browser, 0, "slots-used")["naive"] == \
        f"{nearest(naive, 'server.used', 10.3):,}"
    # of an interval: the one that 10.3 s is in
    within = next(i for i in naive["load"]["intervals"] if i["t_ms"] == 10000)
    assert figure_values(browser, 0, "good")["naive"] == f"{within['good']}/s"
    assert figure_values(browser, 0, "p99")["naive"] == duration(within["p99_ms"])
    assert cursors(browser, 1) == []
    left = min(naive["series"]["middleware.ports_left"])
    slider.send_keys(Keys.ESCAPE)
    assert figure_values(browser, 0, "middleware-ports-left")["naive"] == f"min {left:,}"
    assert cursors(browser, 0) == []
    assert figure_values(browser, 0, "middleware-out-time_wait")["naive"] == f"max {top:,}"


def test_the_pointer_moves_it_too(page, browser):
    from selenium.webdriver import ActionChains
    look(browser, page)
    plot = browser.find_element("css selector", "[data-figure='good'] .plot")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(browser).move_to_element(plot).perform()
    places = cursors(browser, 0)
    assert len(places) > 15 and max(places) - min(places) < 0.01
    assert abs(places[0] - 0.5) < 0.03


def test_zoom_is_shared_and_undone(page, browser):
    look(browser, page)
    section = browser.find_element("id", "act-0-times").find_element("xpath", "..")
    ticks = "return [...arguments[0].querySelectorAll('[data-figure=\"slots-used\"] " \
        ".dygraph-axis-label-x')].map(e => e.textContent)"
    whole = browser.execute_script(ticks, section)
    section.find_element("xpath", ".//button[text()='Zoom in']").click()
    near = browser.execute_script(ticks, section)
    assert near != whole and near
    section.find_element("xpath", ".//button[text()='Whole']").click()
    assert browser.execute_script(ticks, section) == whole


def test_other_runs_and_hosts(doc, page, browser):
    look(browser, page)
    second = doc["acts"][0]["variants"][0]["runs"][1]
    browser.find_element("css selector", "input[name='act-0-times-repetition'][value='1']").click()
    assert figure_values(browser, 0, "slots-abandoned")["timeout"].startswith("max ")
    top = max(second["series"]["middleware.out.time_wait"])
    assert figure_values(browser, 0, "middleware-out-time_wait")["naive"] == f"max {top:,}"
    browser.find_element("css selector", "input[name='act-0-times-host'][value='0']").click()
    top = max(second["series"]["client.out.time_wait"])
    assert figure_values(browser, 0, "client-out-time_wait")["naive"] == f"max {top:,}"
    browser.find_element("css selector", "input[name='act-2-times-point'][value='2']").click()
    assert list(figure_values(browser, 2, "good")) == ["pool timeout=300ms"]


def test_a_sweep_of_any_figure(doc, page, browser):
    look(browser, page)
    variants = doc["acts"][2]["variants"]
    shares = [v["figures"]["good_share"]["median"] for v in variants]
    assert figure_values(browser, 2, "sweep-timeout-good_share") == \
        {"pool": f"max {max(shares) * 100:.0f}%"}
    pick = browser.find_element("id", "act-2-timeout-pick")
    pick.find_element("css selector", "option[value='calls']").click()
    calls = [v["figures"]["calls"]["median"] for v in variants]
    assert figure_values(browser, 2, "sweep-timeout-calls") == {"pool": f"max {max(calls)}"}
    labels = browser.execute_script("""
        return [...document.querySelectorAll('[data-figure="sweep-timeout-calls"] ' +
            '.dygraph-axis-label-x')].map(e => e.textContent);""")
    assert labels == doc["acts"][2]["sweep"][0]["values"]


def test_a_sweep_of_one_value_is_no_plot(doc, tmp_path, browser):
    one = json.loads(json.dumps(doc))
    act = one["acts"][2]
    act["sweep"].append({"name": "own", "values": ["none"], "variants": ["pool"]})
    for v in act["variants"]:
        v["point"]["own"] = "none"
    look(browser, made(tmp_path, one))
    plots = browser.execute_script("""
        return [...document.querySelectorAll('[data-figure^="sweep-"]')].map(e => e.dataset.figure);""")
    assert plots and all(name.startswith("sweep-timeout-") for name in plots)


def test_it_can_be_used_without_sight_or_mouse(page, browser):
    look(browser, page)
    assert browser.execute_script("""
        const bad = [];
        for (const t of document.querySelectorAll('table')) {
            if (!t.caption || [...t.querySelectorAll('th')].some(h => !h.scope))
                bad.push('table without caption or scope');
            const frame = t.closest('.scroll');
            if (frame.tabIndex !== 0 || !frame.getAttribute('aria-label'))
                bad.push('a frame that keys cannot scroll');
        }
        for (const p of document.querySelectorAll('.plot'))
            if (p.getAttribute('role') !== 'img' || p.getAttribute('aria-label').length < 30)
                bad.push('a plot without words');
        for (const c of document.querySelectorAll('button, input, select'))
            if (c.offsetParent && !(c.getAttribute('aria-label') || c.labels.length))
                bad.push(`a control without a name: ${c.outerHTML}`);
        for (const li of document.querySelectorAll('.legend'))
            if (new Set([...li.querySelectorAll('line')].map(l => l.getAttribute('stroke-dasharray')))
                .size < li.children.length)
                bad.push('lines told by colour alone');
        const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        if (new Set(ids).size < ids.length)
            bad.push('an id twice');
        for (const a of document.querySelectorAll('a[href^="#"]'))
            if (!document.getElementById(a.getAttribute('href').slice(1)))
                bad.push('a link to nowhere');
        const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5')].map(h => +h.tagName[1]);
        if (levels.some((l, i) => i && l > levels[i - 1] + 1))
            bad.push('a level of headings left out');
        return [...new Set(bad)];""") == []


# ---- files from it ----------------------------------------------------------------------------


def rounded(digits):
    """What a page holds is written with fewer digits than a number may have."""
    return float(f"{float(digits):.12g}")


def download(driver, name):
    path = driver.downloads / name
    eventually(path.exists)
    text = path.read_bytes().decode()
    path.unlink()
    return text


def press(driver, figure, what):
    button = driver.find_element(
        "css selector", f"[data-figure='{figure}'] .take button[aria-label$='{what}']")
    driver.execute_script("arguments[0].click()", button)


def test_figures_as_files(doc, page, browser):
    look(browser, page)
    press(browser, "good", "CSV")
    rows = list(csv.reader(io.StringIO(download(browser, "incident-overload-run-1-good.csv"))))
    variants = doc["acts"][0]["variants"]
    assert rows[0] == ["t_s", *(v["label"] for v in variants)]
    for i, v in enumerate(variants):
        intervals = v["runs"][0]["load"]["intervals"]
        assert {float(r[0]): float(r[i + 1]) for r in rows[1:] if r[i + 1]} == \
            {n["t_ms"] / 1000: n["good"] for n in intervals}
    press(browser, "middleware-out-time_wait", "JSON")
    figure = json.loads(download(browser, "incident-overload-run-1-middleware-out-time-wait.json"))
    page_of = (ROOT / "docs" / "json" / "lab-figure.md").read_text()
    named = re.findall(r"^\| `([^`]+)` \|", page_of, re.MULTILINE)
    assert list(figure) == [name for name in named if "." not in name]
    assert figure["unit"] == "sockets" and figure["x"] == "t_s"
    series = variants[0]["runs"][0]["series"]
    assert figure["lines"][0] == {"name": "naive", "points": [
        [t / 1000, n] for t, n in zip(series["t_ms"], series["middleware.out.time_wait"])]}
    press(browser, "sweep-timeout-p99_ms", "CSV")
    rows = list(csv.reader(io.StringIO(
        download(browser, "incident-how-short-sweep-timeout-p99-ms.csv"))))
    assert rows[0] == ["timeout", "pool low_ms", "pool median_ms", "pool high_ms"]
    assert [(r[0], float(r[2])) for r in rows[1:]] == \
        [(v["point"]["timeout"], v["figures"]["p99_ms"]["median"])
         for v in doc["acts"][2]["variants"]]


def test_the_table_and_the_result_as_files(doc, page, browser):
    look(browser, page)
    button = browser.find_element("css selector", "section[aria-labelledby='act-0'] .tabled "
                                  ".take button[aria-label$='CSV']")
    browser.execute_script("arguments[0].click()", button)
    rows = list(csv.DictReader(io.StringIO(download(browser, "incident-overload-variants.csv"))))
    for row, v in zip(rows, doc["acts"][0]["variants"]):
        assert row["variant"] == v["label"]
        for key in "good", "p99_ms", "time_wait":
            known = v["figures"][key]
            assert [float(row[k]) for k in (key, f"{key}_low", f"{key}_high")] == \
                [known["median"], known["low"], known["high"]]
    button = browser.find_element("css selector", "footer button")
    browser.execute_script("arguments[0].click()", button)
    text = download(browser, "samples.json")
    assert json.loads(text, parse_float=rounded) == json.loads(SAMPLE.read_text(),
                                                              parse_float=rounded)


# ---- nothing in it is obeyed ------------------------------------------------------------------


def test_what_a_run_brought_is_text(doc, tmp_path, browser):
    bad = json.loads(json.dumps(doc))
    bad["scenario"].update(title=HOSTILE, text=HOSTILE, file=HOSTILE)
    bad["machine"]["programs"] = {HOSTILE: HOSTILE}
    for act in bad["acts"]:
        act.update(title=HOSTILE, about=HOSTILE, says=[HOSTILE], missing=[HOSTILE])
        for sweep in act["sweep"]:
            sweep["values"] = [value + HOSTILE for value in sweep["values"]]
        for v in act["variants"]:
            v.update(label=v["label"] + HOSTILE, what=HOSTILE)
            v["point"] = {k: value + HOSTILE for k, value in v["point"].items()}
            v["words"] = [{"status": 503, "count": 1, "text": HOSTILE}]
            for run in v["runs"]:
                run["commands"]["server"] = ["weir", HOSTILE]
                run["files"] = {HOSTILE: HOSTILE}
                for e in run["load"]["errors"]:
                    e["text"] = HOSTILE
    page = made(tmp_path, bad)
    look(browser, page)
    assert browser.execute_script("return window.pwned") is None
    assert browser.execute_script("""
        return [document.querySelectorAll('img').length, document.scripts.length];""") == [0, 2]
    words = browser.find_element("css selector", "blockquote .words").text
    assert words == HOSTILE.replace("\u202e", "<U+202E>")
    ticks = browser.execute_script("""
        return [...document.querySelectorAll('[data-figure^="sweep-"] .dygraph-axis-label-x')]
            .map(e => e.textContent);""")
    assert f"none{words}" in ticks


def test_its_policy_runs_no_other_script(page, browser):
    look(browser, page)
    browser.execute_script("""
        const s = document.createElement('script');
        s.textContent = 'window.other = 1';
        document.body.append(s);""")
    assert browser.execute_script("return window.other") is None
    assert any("Content Security Policy" in e["message"] for e in browser.get_log("browser"))


def test_on_paper(page, browser):
    look(browser, page, 1280, "dark")
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert pdf["data"].startswith("JVBERi0")
    # and it is as before
    assert browser.execute_script(
        "return document.querySelectorAll('svg.print, .print').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    assert browser.get_log("browser") == []


def test_licence_and_what_it_is_made_of(page):
    text = page.read_text()
    assert "Dan Vanderkam" in text and "Permission is hereby granted, free of charge" in text
    assert not re.search(r"sourceMappingURL|(src|href)=[\"']?(https?:)?//", text)
    assert "default-src 'none'" in text and "unsafe-inline" not in text


# ---- misuse -----------------------------------------------------------------------------------


def test_what_is_no_result_is_refused(tmp_path):
    done = report(tmp_path, str(tmp_path))
    assert done.returncode == 1 and f"{tmp_path}/samples.json: No such file" in done.stderr
    (tmp_path / "samples.json").write_text('{"schema": "weir.load/1"}')
    done = report(tmp_path, str(tmp_path))
    assert done.returncode == 1 and "weir.load/1, and this weir reads weir.lab/2" in done.stderr
    (tmp_path / "samples.json").write_text('{"schema":\n x')
    done = report(tmp_path, str(tmp_path))
    assert done.returncode == 1 and "samples.json:2:" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "samples.json"]


def test_what_is_not_ours_is_not_replaced(doc, tmp_path):
    made(tmp_path, doc)
    first = (tmp_path / "report.html").read_text()
    made(tmp_path, doc)
    assert (tmp_path / "report.html").read_text() == first
    (tmp_path / "report.md").write_text("my notes\n")
    done = report(tmp_path, str(tmp_path))
    assert done.returncode == 1 and "report.md is there and is not ours" in done.stderr
    assert (tmp_path / "report.md").read_text() == "my notes\n"


def test_a_result_with_little_in_it(doc, tmp_path, browser):
    """Every run failed: nothing is known, and the page says so."""
    bare = json.loads(json.dumps(doc))
    for act in bare["acts"]:
        for v in act["variants"]:
            v.update(histogram=[], words=[], valid=False, invalid_why="it did not start",
                     figures=dict.fromkeys(v["figures"]), closes={
                         side: {"first": dict.fromkeys(v["closes"][side]["first"], 0),
                                "why": dict.fromkeys(v["closes"][side]["why"], 0), "by": {}}
                         for side in ("in", "out")} | {"unseen": 0})
            for run in v["runs"]:
                run.update(load=None, server=None, middleware=None, valid=False,
                           series={"t_ms": []}, figures=dict.fromkeys(run["figures"]))
    look(browser, made(tmp_path, bare))
    text = browser.find_element("id", "main").text
    assert "Nothing was looked at over time." in text
    assert "No answer’s time was measured." in text
    assert table(browser, "What each variant came to")[0][0][1:] == ["–"] * 19


# ---- its arithmetic ---------------------------------------------------------------------------


def under_node(expression, *given):
    """An expression over `values`, as Node reckons it."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    program = (PAGE / "values.js").read_text() + f"""
        const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        process.stdout.write(JSON.stringify({expression}));"""
    done = subprocess.run(["node", "-e", program], input=json.dumps(given), text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_durations_and_other_numbers():
    times = [0, 0.0005, 0.812, 0.9996, 1, 52.14, 99.96, 999.4, 999.6, 1000, 4031, 59999, 119400,
             725000]
    assert under_node("given.map(values.duration)", *times) == [duration(t) for t in times]
    assert [duration(t) for t in (0.812, 52.14, 99.96, 999.6, 725000)] == \
        ["812 µs", "52.1 ms", "100 ms", "1.00 s", "12m 5s"]
    assert under_node("given.map(values.share)", 0, 0.0004, 0.005, 0.33, 0.994, 0.9996, 1) == \
        ["0%", "0.04%", "0.5%", "33%", "99.4%", "100.0%", "100%"]
    assert under_node("given.map(values.short)", 0, 0.25, 900, 12000, 1500000) == \
        ["0", "0.25", "900", "12k", "1.5M"]
    assert under_node("[values.range(values.duration, 4140, 4160), "
                      "values.range(values.duration, 999, 1500), "
                      "values.range(values.count, 1200, 1300)]") == \
        ["4.14–4.16 s", "999 ms–1.50 s", "1,200–1,300"]


def test_quantiles_and_curves_are_those_of_the_answers(doc):
    """Beside the definition: the smallest value that the share does not exceed."""
    histogram = doc["acts"][0]["variants"][0]["histogram"]
    each = sorted(low for low, n in histogram for _ in range(n))
    shares = [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1]
    wanted = [each[max(0, math.ceil(q * len(each) - 1e-9) - 1)] / 1000 for q in shares]
    assert under_node("given[1].map(q => values.quantile(given[0], q))", histogram, shares) == wanted
    curve = under_node("values.curve(given[0])", histogram)
    assert all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(curve, curve[1:]))
    for x, ms in curve[:-1]:
        before = 1 - 10 ** -x  # of all answers, so many took less
        assert round(before * len(each)) == sum(low / 1000 < ms for low in each)
    assert curve[-1] == [math.log10(2 * len(each)), each[-1] / 1000]
    assert under_node("[values.curve([]), values.quantile([], 0.5)]") == [[], None]


def test_values_under_the_cursor():
    points = [[0, 1], [1, 2], [2, 3], [5, 4]]
    held = "given[1].map(x => values.valueAt(given[0], x, true))"
    near = "given[1].map(x => values.valueAt(given[0], x, false))"
    assert under_node(held, points, [-1, 0, 0.9, 1, 4.9, 5, 6, 7]) == [None, 1, 1, 2, 3, 4, 4, None]
    assert under_node(near, points, [-1, 0.4, 0.6, 2, 3.9, 6.5, 7]) == [1, 1, 2, 3, 4, 4, None]
    assert under_node("values.grid(given)", [[0, 1], [2, 3]], [[1, 9], [2, 8]]) == \
        [[0, 1, None], [1, None, 9], [2, 3, 8]]


def test_csv_is_quoted_and_no_formula():
    cells = ["plain", 'say "so"', "a,b", "two\nlines", " edge", "=1+1", "-x", "@x", "+x", None, -1.5,
             True, ""]
    text = under_node("values.csv([given])", *cells)
    assert text == 'plain,"say ""so""","a,b","two\nlines"," edge",\'=1+1,\'-x,\'@x,\'+x,,-1.5,' \
        'true,\r\n'
    assert next(csv.reader(io.StringIO(text, newline="")))[:5] == cells[:5]


def test_what_cannot_be_seen_is_shown():
    assert under_node("given.map(values.visible)", "a\u202eb", "\u0000\u001b[31m", "two\n\tlines é 한") \
        == ["a<U+202E>b", "<U+0000><U+001B>[31m", "two\n\tlines é 한"]
    assert under_node("values.fileName(given)", "../a b", "C:\\x", "é") == "a-b-c-x"
