"""The report in a real browser, without a network: what a reader sees. Needs Playwright and Chromium."""

import shutil

import pytest
from made_bench import CASES, made_bench

from outthink.bench.report import write

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    directory = made_bench(tmp_path_factory.mktemp("bench"), **(CASES["full"] | {"repeats": 2, "questions": 60}))
    return write(directory)[0].as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the report; afterwards nothing else was asked for and nothing was complained about."""
    contexts, asked, said = [], [], []

    def open_(**how):
        context = browser.new_context(offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert set(asked) == {address}
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_headings_and_plots_are_there_in_both_schemes_and_nothing_sticks_out(opened, scheme, width):
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
    assert "strategies on 60 questions" in page.title()
    assert page.locator("h1").inner_text().strip()
    assert page.locator("h2").count() >= 8
    assert page.locator("#frontier svg:visible").count() == 1
    assert page.locator("#scaling svg:visible").count() == 1
    assert page.locator("#confidence svg:visible").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (lightness(paper) > lightness(ink)) == (scheme == "light")


def lightness(colour):
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_names_in_the_frontier_plot_do_not_lie_on_each_other(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    boxes = [name.bounding_box() for name in page.locator("#frontier svg.wide text.name").all()]
    assert len(boxes) == 8
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
            high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
            assert wide <= 0 or high <= 2


def test_a_link_opens_the_folded_question_that_it_leads_to(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    assert page.locator("#examples details[open]").count() == 0
    page.locator("#won a").first.click()
    assert page.locator("#examples details[open]").count() == 1
    assert page.locator("#examples .asked:visible").count() == 1
    assert "owned" not in page.title()


def test_it_prints_in_dark_ink_even_for_a_reader_in_the_dark(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert lightness(paper) > lightness(ink)
    assert page.pdf().startswith(b"%PDF")
