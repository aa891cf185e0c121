"""The page in a real browser: without any other host, on a phone, and as a screen reader is told of it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.conftest import need

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATHS = ("/", "/series/vic", "/series/hostile", "/nothing")
UNNAMED = """
() => [...document.querySelectorAll('svg[role=img], img, section, nav, [role=region], a, summary')].filter(e => {
    const by = e.getAttribute('aria-labelledby');
    const name = by ? document.getElementById(by)?.textContent : e.getAttribute('aria-label') || e.textContent;
    return !(name || '').trim();
}).map(e => e.outerHTML.slice(0, 200))
"""
BARE = "[...document.querySelectorAll('table')].filter(t => !t.caption || t.querySelector('th:not([scope])')).length"
CONTRASTS = """
() => {
    const parse = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                         return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                          if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
    const found = [];
    for (const e of document.querySelectorAll('body *')) {
        if (e.closest('svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
        const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(behind(e).slice(0, 3))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 120)}`);
    }
    return found;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need(CHROMIUM.exists(), f"Chromium at {CHROMIUM}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A phone's view. Asking any other host, a script, or a word on the console fails the test."""
    context = browser.new_context(
        base_url=site,
        viewport={"width": 360, "height": 740},
        device_scale_factor=2,
        color_scheme=getattr(request, "param", "light"),
    )
    opened, asked, said = context.new_page(), [], []

    def guard(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_() if urlsplit(route.request.url).hostname == "127.0.0.1" else route.abort()

    opened.route("**/*", guard)
    opened.on("console", lambda message: said.append(message.text))
    opened.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    yield opened
    context.close()
    assert asked
    assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}
    assert [text for text in said if "404" not in text] == []


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_a_phone_needs_no_sideways_scrolling_and_every_word_can_be_read(page: Page) -> None:
    for path in PATHS:
        page.goto(path)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert page.evaluate(CONTRASTS) == [], path
    page.goto("/series/vic")
    shown = page.locator("svg.chart:visible")
    assert shown.count() == 4
    texts = shown.locator("text").all()
    assert min(box["height"] for text in texts if (box := text.bounding_box())) > 8, "the letters of charts are too small"
    page.set_viewport_size({"width": 1280, "height": 900})
    assert shown.count() == 4
    assert page.locator("svg.wide:visible").count() == 4


def test_a_screen_reader_is_told_all(page: Page) -> None:
    for path in PATHS:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.evaluate(UNNAMED) == []
        assert page.locator("h1").count() == 1
        levels = [int(name[1]) for name in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => e.tagName)")]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), "an id stands for one thing"
        assert page.evaluate(BARE) == 0, "a table lacks its caption, or a heading its scope"
    page.goto("/series/vic")
    tree = page.locator("body").aria_snapshot()
    for landmark in ("- banner", "- main", "- contentinfo", '- navigation "Site"', '- region "Forecast"', '- region "Drift"'):
        assert landmark in tree, landmark
    images = re.findall(r'\bimg "(.+?)"', tree)
    assert len(images) == 4
    assert images[0].startswith("Forecast of 14 days from Mon 10 Nov on: the median lies between")
    assert "an alert needs more than 3.5, and 25 %" in images[3]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads past the navigation"


def test_state_is_told_by_words_and_shapes(page: Page) -> None:
    page.goto("/")
    badges = page.locator(".badge").all_inner_texts()
    assert set(badges) == {"■ Alarm"}
    page.goto("/series/hostile")
    assert page.locator("h1").inner_text() == '<script>alert("x")</script> & $x^2$'
    assert page.locator("script").count() == 0
