"""JupyterLab in a real browser: a notebook is run, a figure seen, a slider moved by keyboard."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from evaluation.base.cache import PACKAGE

sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[1]
NAME = "08_scenarios"
HAN = re.compile(r"[\u3400-\u9fff]")
# What a first visit asks is answered: no news.
ANSWERED = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}


def in_chinese(folder: Path) -> None:
    """The notebook with ``language = "zh"`` and nothing stored, beside the data it reads."""
    notebook = json.loads((ROOT / "notebooks" / f"{NAME}.ipynb").read_text("utf-8"))
    notebook["metadata"]["kernelspec"]["name"] = "kepu-warm"
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace('str = "en"', 'str = "zh"')
        cell.update({"outputs": [], "execution_count": None} if "outputs" in cell else {})
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / f"{NAME}.ipynb").write_text(json.dumps(notebook), "utf-8")
    (folder / "data").symlink_to(ROOT / "data")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab of our own, ended with the module; nothing of the user's is read."""
    folder = tmp_path_factory.mktemp("lab")
    in_chinese(folder)
    for name, values in ANSWERED.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"PYTHONPATH": str(PACKAGE.parent), "IPYTHONDIR": str(folder / "ipython")}
    command = [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder / 'notebooks'}",
        "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--port-retries=0",
        "--IdentityProvider.token=", f"--LabApp.user_settings_dir={folder / 'settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
    ]  # fmt: skip
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log)
    try:
        yield _answering(f"http://127.0.0.1:{port}", server, folder / "log.txt")
    finally:
        server.terminate()
        server.wait(20)


def _answering(address: str, server: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api", timeout=2):
                return address
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8"))


def test_researcher_runs_a_notebook_and_moves_a_slider_by_keyboard(lab, tmp_path):
    folder = Path(os.environ.get("KEPU_SHOTS", tmp_path))  # name one to look at what was seen
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1300, "height": 1100})
        page.set_default_timeout(40_000)
        page.goto(f"{lab}/lab/tree/{NAME}.ipynb?reset")
        page.locator(".jp-NotebookPanel-toolbar").wait_for()
        page.get_by_text("Python 3 (warm) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            seen_figure(page, folder / "figure.png")
            moved_slider(page)
        finally:  # also what a failure looked like
            page.screenshot(path=folder / "lab.png")
            browser.close()


def seen_figure(page, figure: str | Path) -> None:
    """Every cell ran, and a figure is drawn whose caption and alternative text are Chinese."""
    last = page.locator(".jp-CodeCell .jp-InputPrompt").last
    sync.expect(last).to_have_text(re.compile(r"\[\d+\]:"), timeout=60_000)
    assert page.get_by_text("Traceback").count() == 0
    image = page.locator(".jp-OutputArea-output figure img").first
    image.scroll_into_view_if_needed()
    assert HAN.search(image.get_attribute("alt"))
    assert HAN.search(page.locator("figcaption").first.text_content())
    assert image.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 600
    page.wait_for_timeout(500)  # to be painted
    page.screenshot(path=figure)


def moved_slider(page) -> None:
    """Arrow keys change the plan: the level, the share that goes with it, and the words."""
    handle = page.locator(".noUi-handle").first
    handle.wait_for()
    panel = page.locator(".widget-html table.kepu").first
    # JupyterLab paints the cells about the view, and only once a scroll has come to rest.
    for _ in range(20):
        handle.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        before = panel.inner_text()
        if before:
            break
    assert "按计划" in before and "—" in before
    handle.focus()
    for _ in range(4):
        handle.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.widget-html table.kepu').innerText !== before",
        arg=before,
    )
    page.get_by_text("+20", exact=True).wait_for()
    after = page.locator(".widget-html").first.inner_text()
    assert re.search(r"[+−]0\.\d{3}（[+−]?0\.\d{3}至[+−]?0\.\d{3}）", after)
    assert "无法判断" in after and "证据等级" in after and "增幅观测" in after
