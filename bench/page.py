"""The page in a real Chromium: its bytes, when it is ready, how it scrolls, how soon news shows."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from bench import fleets
from bench.running import HERE, Process, monitor
from bench.table import Row
from tests.chromium import CHROMIUM, chromium

LOADS = 5
EDITS = 20
LONG = "window.longTasks = [];" + (
    "new PerformanceObserver((list) => longTasks.push(...list.getEntries()))"
    ".observe({ type: 'longtask', buffered: true });"
)
"""Runs before the page's own script: remembers what kept the main thread for over 50 ms."""
READY = """() => {
  const [load] = performance.getEntriesByType("navigation");
  const ends = longTasks.map((one) => one.startTime + one.duration);
  const at = Math.max(load.loadEventEnd, ...ends);
  const isInCharge = load.loadEventEnd > 0 && !document.getElementById("pages");
  return isInCharge && performance.now() > at + 500 ? at : 0;
}"""
"""When the script had taken over the list and the main thread came to rest for half a second."""
SCROLL = """async ({ stretches, length }) => {
  const frame = () => new Promise(requestAnimationFrame);
  const found = { elements: 0, empty: 0, waited: 0, rows: new Set() };
  const look = () => {
    found.elements = Math.max(found.elements, document.getElementsByTagName("*").length);
    const isSeen = (one) => {
      const box = one.getBoundingClientRect();
      return box.height && box.bottom > 0 && box.top < innerHeight;
    };
    const rows = [...document.querySelectorAll("tr[data-id]")].filter(isSeen);
    for (const row of rows) found.rows.add(row.dataset.id);
    return rows.length && ![...document.querySelectorAll(".gap td, .ghost td")].some(isSeen);
  };
  const began = performance.now();
  const whole = document.documentElement.scrollHeight - innerHeight;
  for (let stretch = 0; stretch < stretches; stretch++) {
    const start = performance.now();
    for (let part = 0; part < 1; ) {
      await frame();
      part = Math.min(1, (performance.now() - start) / length);
      scrollTo(0, whole * (stretch + part) / stretches);
      found.elements = Math.max(found.elements, document.getElementsByTagName("*").length);
    }
    const end = performance.now();
    while (!look() && performance.now() < end + 2000) await frame();
    found.waited = Math.max(found.waited, performance.now() - end);
    if (!look()) found.empty++;
  }
  await new Promise((done) => setTimeout(done, 200));
  const tasks = longTasks.filter((one) => one.startTime >= began).map((one) => one.duration);
  return { ...found, rows: found.rows.size, longest: Math.max(0, ...tasks), tasks: tasks.length };
}"""
"""Through the whole list in stretches of `length` ms, each ended by a look at what is there."""
WATCH = """([id, name]) => {
  window.seen = new Promise((done, fail) => {
    setTimeout(() => fail(new Error("the row did not change")), 20000);
    new MutationObserver((_all, observer) => {
      const row = document.querySelector(`tr[data-id="${id}"] td.c-name a`);
      if (row?.textContent !== name) return;
      observer.disconnect();
      done(performance.timeOrigin + performance.now());
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page, the ms from the navigation until it was ready, and what it had loaded."""

    page: Page
    ready: float
    heard: list[Any]


def page(folder: Path) -> list[Row]:
    """The fleet page with 1,000 cameras and with 10,000."""
    if not CHROMIUM.exists():
        install = "apt-get install chromium-headless-shell"
        why = f"{CHROMIUM} is missing, so the page is not measured: {install}"
        print(why, file=sys.stderr)
        return []
    rows: list[Row] = []
    with chromium() as browser:
        with fleet(folder / "1k", 1000) as process:
            rows += [weight(browser, process), *readiness(browser, process, "1k", 1)]
            rows += news(browser, process)
        with fleet(folder / "10k", 10_000) as process:
            rows += [*readiness(browser, process, "10k", 1.5), *scrolling(browser, process)]
    return rows


@contextmanager
def fleet(folder: Path, size: int) -> Iterator[Process]:
    folder.mkdir()
    fleets.write_fleet(folder, size)
    with monitor(folder) as process:
        process.client.ask("GET", "/")
        yield process


@contextmanager
def visit(browser: Browser, process: Process, path: str = "/") -> Iterator[Visit]:
    """The page as somebody sees it who never was here, once it is ready."""
    context = browser.new_context(
        base_url=f"http://{HERE}:{process.port}", viewport={"width": 1440, "height": 900}
    )
    try:
        context.add_init_script(LONG)
        shown = context.new_page()
        heard = listen(context.new_cdp_session(shown))
        shown.goto(path)
        yield Visit(shown, shown.wait_for_function(READY).json_value(), heard)
    finally:
        context.close()


def listen(session: CDPSession) -> list[Any]:
    """What comes over the wire: each answer with its type, and each ending with its bytes."""
    heard: list[Any] = []
    session.on("Network.responseReceived", lambda event: heard.append(event))
    session.on("Network.loadingFinished", lambda event: heard.append(event))
    session.send("Network.enable")
    return heard


def weight(browser: Browser, process: Process) -> Row:
    """All but pictures; the answers' heads count too."""
    with visit(browser, process) as load:
        answers = [event for event in load.heard if "response" in event]
        ends = [event for event in load.heard if "encodedDataLength" in event]
    kinds = {event["requestId"]: event["response"]["mimeType"] for event in answers}
    sizes = [(kinds[event["requestId"]], event["encodedDataLength"]) for event in ends]
    words = ("html", "css", "javascript", "svg")
    kept = {label: sum(size for kind, size in sizes if label in kind) / 1000 for label in words}
    note = ", ".join(f"{label} {size:.1f}" for label, size in kept.items())
    return Row("1k: page before pictures", sum(kept.values()), "kB", 100, note=note)


def readiness(browser: Browser, process: Process, name: str, target: float) -> list[Row]:
    times = []
    for _ in range(LOADS):
        with visit(browser, process) as load:
            times.append(load.ready / 1000)
    note = f"median of {LOADS}, worst {max(times):.2f} s"
    return [Row(f"{name}: page ready to use", median(times), "s", target, note=note)]


def scrolling(browser: Browser, process: Process) -> list[Row]:
    """Five seconds of scrolling from the first camera to the last."""
    with visit(browser, process) as ready:
        scrolled = ready.page.evaluate(SCROLL, {"stretches": 10, "length": 500})
    title, stops = (
        "10k: scrolled through in 5 s",
        f"at the worst of 10 stops; {scrolled['rows']} rows",
    )
    tasks = f"{scrolled['tasks']} of over 50 ms"
    return [
        Row(f"{title}: longest task", scrolled["longest"], "ms", 100, note=tasks),
        Row(f"{title}: most elements", scrolled["elements"], "", 2000),
        Row(f"{title}: stops without rows", scrolled["empty"], "", 0),
        Row(f"{title}: rows are there after", scrolled["waited"], "ms", note=stops),
    ]


def news(browser: Browser, process: Process) -> list[Row]:
    """From the sending of an edit to the changed row, by one clock."""
    delays, answered = [], []
    with visit(browser, process, "/?sort=id") as ready:
        for number in range(1, EDITS + 1):
            name = f"Renamed {number}"
            ready.page.evaluate(WATCH, [number, name])
            begin = time.time() * 1000
            process.client.ask("PATCH", f"/api/camera/{number}", {"name": name})
            answered.append(time.time() * 1000 - begin)
            delays.append(ready.page.evaluate("window.seen") - begin)
    note = f"median of {EDITS}; the edit itself took {median(answered):.0f} ms"
    return [
        Row("1k: an edit shows in the row", median(delays), "ms", 300, note=note),
        Row("1k: an edit shows in the row, worst", max(delays), "ms", 300),
    ]
