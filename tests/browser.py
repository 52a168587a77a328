"""A real Chromium for tests of web pages."""

import contextlib
import shutil

import pytest

from verbs import PATIENCE


@contextlib.contextmanager
def chromium(folder, *switches, logs=("browser",)):
    """A Chromium with these switches, of a profile of its own, that keeps these logs; skips where
    there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no python3-selenium")
    from selenium.webdriver.chrome.service import Service
    for tool in ("chromium", "chromedriver"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--disable-background-networking",
                   "--disable-component-update", f"--user-data-dir={folder}/profile", *switches):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    try:
        driver.set_page_load_timeout(4 * PATIENCE)
        # what Chromium's own start page says on the console is nobody's fault here
        driver.get("about:blank")
        for log in logs:
            driver.get_log(log)
        yield driver
    finally:
        driver.quit()
