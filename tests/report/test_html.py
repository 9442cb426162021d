"""Pages opened in a browser as people open them: by keyboard, on a phone, in the dark, on paper, with hostile names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from d365setup.audit import Audit
from d365setup.audit.readiness import Link, Path, Readiness
from d365setup.model import Action, Cost, Plan
from d365setup.report import Document, Mask, Simulated, Verification
from d365setup.report.as_html import html
from tests.report import clinic, samples
from tests.report.conftest import Open, Window
from tests.report.everything import NAMES, documents

NASTY = (
    "<script>alert(1)</script>",
    "</style></title></svg></textarea>--><img src=x onerror=alert(2)>",
    "]]><!-- <![CDATA[",
    '" \' ` onfocus=alert(3) autofocus="" javascript:alert(4)',
    "\u202eesrever\u202c \u2066mark\u200f queue",
    "a | b | c\n# d\n| e |",
    "{{ 7 * 7 }}{% raw %}${alert(6)}",
    "\x00\x1b[2J\x08\ud800 \ufffe",
)
HOSTILE = {
    "nasty": "".join(NASTY),
    "address": "javascript:alert(5)//https://x.example",
    "long": "x" * 10_000,
    "wide": "漢字" * 500 + " עברית",
}
READINESS = Readiness(
    (
        Path(
            "Patient chat",
            "Contoso Health Bot",
            "BotHandOffTopic = Nurse",
            (
                Link("bot", "Contoso Health Bot"),
                Link("work stream", "Patient chat", "unknown", "its mode was not read"),
                Link("queue", "Nurses", "broken", "somebody answers for it", ("R31",), waived=True),
                Link("people", "nobody", "broken", "nobody in Nurses can be given it", ("R31",)),
            ),
        ),
    )
)
SIMULATED = Simulated(clinic.SIMULATION, clinic.CENTER, "contoso-health-bot")
PAGES: dict[str, Document] = {
    "clinic": clinic.AUDIT,
    "clinic-clean": clinic.CLEAN,
    "clinic-simulation": SIMULATED,
    "clinic-verification": Verification(samples.PLAN, READINESS, clinic.AUDIT),
    **samples.DOCUMENTS,
    **{name: document for name, document in documents("Nurses").items() if name not in samples.DOCUMENTS},
}
FIRST = "R01-routing_rule-Patient-chat/Everyone-meets-the-bot-first"


def visible(window: Window, selector: str) -> int:
    """How many things are there for somebody to see: neither hidden nor in something closed."""
    script = (
        "s => [...document.querySelectorAll(s)].filter(e => e.checkVisibility({contentVisibilityAuto: false})).length"
    )
    return int(window.ask(script, selector))


def overflow(window: Window) -> int:
    return int(window.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def landmarks(window: Window) -> list[Any]:
    return list(
        window.ask(
            """[document.documentElement.lang, document.title.length > 5, document.querySelectorAll("h1").length,
                document.querySelectorAll("main").length, document.querySelectorAll("[id]").length ===
                new Set([...document.querySelectorAll("[id]")].map(e => e.id)).size]"""
        )
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_document_is_a_page_that_loads_nothing_and_fits_a_phone(name: str, opened: Open) -> None:
    window = opened(html(PAGES[name]), width=360)
    assert landmarks(window) == ["en", True, 1, 1, True]
    assert overflow(window) == 0
    levels = window.ask("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.localName[1]))")
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["clinic", "clinic-simulation", "clinic-verification", "run", "validation", "doctor", "checklist"]
)
def test_axe_finds_nothing_serious(name: str, scheme: str, opened: Open, axe: str) -> None:
    window = opened(html(PAGES[name]), scheme=scheme)
    window.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert window.accuse(axe) == []


def test_axe_would_find_something(opened: Open, axe: str) -> None:
    page = html(clinic.AUDIT).replace('<html lang="en">', "<html>")
    assert any(each.startswith("html-has-lang") for each in opened(page).accuse(axe))


# -- filters and links -----------------------------------------------------------------------------------------------


def said(window: Window) -> str:
    return str(window.page.get_by_role("status").inner_text())


def tab_to(window: Window, selector: str) -> None:
    """Press Tab until it is reached: what cannot be reached so cannot be used by keyboard."""
    for _ in range(60):
        window.page.keyboard.press("Tab")
        if window.ask("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"{selector} is not reached by Tab")


def test_findings_filter_by_keyboard(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    press, write = window.page.keyboard.press, window.page.keyboard.type
    assert said(window) == "8 findings"
    tab_to(window, "[data-facet=level][value=error]")
    press("Space")
    assert said(window) == "4 of 8 findings shown"
    assert visible(window, "#findings .card.error") == 0
    assert visible(window, "#findings .card") == 4
    tab_to(window, "select[data-facet=object]")
    write("workstream:Appointment")
    assert said(window) == "1 of 8 findings shown"
    tab_to(window, "[data-facet=text]")
    write("nothing says this")
    assert said(window) == "0 of 8 findings shown"
    assert window.page.get_by_text("No finding fits these filters.").is_visible()
    tab_to(window, "[data-reset]")
    press("Enter")
    assert said(window) == "8 findings"
    assert visible(window, "#findings .card") == 8


def test_free_text_looks_into_closed_findings(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    window.page.get_by_role("searchbox").fill("NOBODY foresaw")
    assert said(window) == "1 of 8 findings shown"
    assert window.page.locator(f'[id="{FIRST}"]').is_visible()


def test_findings_open_and_close_by_keyboard(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    assert visible(window, "#findings .body") == 0
    tab_to(window, ".card > summary")
    window.page.keyboard.press("Enter")
    assert visible(window, "#findings .body") == 1
    window.page.get_by_role("button", name="Open all").press("Enter")
    assert visible(window, "#findings .body") == 8
    window.page.get_by_role("button", name="Close all").press("Space")
    assert visible(window, "#findings .body") == 0


def test_a_deep_link_opens_its_finding_even_when_filtered_out(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    window.go(FIRST)
    assert visible(window, "#findings .body") == 1
    assert window.ask("document.activeElement.id") == FIRST
    window.page.get_by_role("checkbox", name="errors").uncheck()
    assert visible(window, "#findings .card.error") == 0
    window.page.locator(f'.drawing a.badge[href="#{FIRST}"]').press("Enter")
    assert visible(window, "#findings .card.error .body") == 1
    assert said(window) == "5 of 8 findings shown"
    assert window.ask(
        "() => { const b = document.activeElement.getBoundingClientRect(); return b.top >= 0 && b.top < innerHeight }"
    )


def test_a_link_that_leads_nowhere_harms_nothing(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    for anchor in ("no-such-thing", "%E0%A4%A", '"]<script>', "report"):
        window.go(anchor)
    assert said(window) == "8 findings"


def test_changes_filter_by_action_kind_status_and_text(opened: Open) -> None:
    window = opened(html(samples.RUN))
    assert said(window) == "5 changes"
    window.page.get_by_role("checkbox", name="create 2").uncheck()
    assert said(window) == "3 of 5 changes shown"
    window.page.get_by_role("checkbox", name="failed 1").uncheck()
    assert said(window) == "2 of 5 changes shown"
    window.page.get_by_role("combobox", name="Kind").select_option("queue")
    assert (said(window), visible(window, "[data-group]")) == ("0 of 5 changes shown", 0)
    window.page.get_by_role("button", name="Show all").press("Enter")
    window.page.get_by_role("searchbox").fill("queue_member read back")
    assert said(window) == "0 of 5 changes shown"
    window.page.get_by_role("searchbox").fill("nora read back")
    assert (said(window), visible(window, "[data-group]")) == ("1 of 5 changes shown", 1)


# -- without a script, in the dark, on paper -------------------------------------------------------------------------


def test_without_scripts_everything_is_there(opened: Open, axe: str) -> None:
    window = opened(html(clinic.AUDIT), scripts=False)
    page = window.page
    assert page.locator(".card .body:visible").count() == len(clinic.AUDIT.findings)
    assert page.locator(".filter:visible, button:visible").count() == 0


def test_dark_and_light_follow_the_system_until_somebody_chooses(opened: Open) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    dark, light = opened(html(clinic.AUDIT), scheme="dark"), opened(html(clinic.AUDIT))
    assert dark.ask(colour) != light.ask(colour)
    button = dark.page.get_by_role("button", name="Colours")
    button.press("Enter")
    assert (button.inner_text(), dark.ask(colour)) == ("Colours: light", light.ask(colour))
    button.press("Enter")
    button.press("Enter")
    assert button.inner_text() == "Colours: automatic"
    assert dark.ask(colour) != light.ask(colour)


def test_on_paper_everything_is_open_and_nothing_is_for_clicking(opened: Open) -> None:
    window = opened(html(clinic.AUDIT), scheme="dark")
    window.page.emulate_media(media="print")
    assert visible(window, "#findings .body") == 8
    assert visible(window, ".filter, .bar, .skip") == 0
    assert visible(window, "#drawing-text li") > 10
    assert window.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert window.page.pdf(format="A4").startswith(b"%PDF")
    window.page.emulate_media(media="screen")
    assert visible(window, "#findings .body") == 0


# -- the drawing -----------------------------------------------------------------------------------------------------


def test_the_drawing_has_a_text_alternative_that_says_as_much(opened: Open) -> None:
    window = opened(html(clinic.AUDIT))
    assert "8 problems marked" in window.page.locator("svg.diagram [role=img]").get_attribute("aria-label")
    window.page.get_by_text("The same as text").press("Enter")
    told = window.page.locator("#drawing-text").inner_text()
    names = [
        each.name for each in (*clinic.CENTER.workstreams, *clinic.CENTER.queues, *clinic.RULES, *clinic.CENTER.users)
    ]
    assert [name for name in names if name not in told] == []
    assert "12 people, 3 able" in told
    drawn = window.ask("[...document.querySelectorAll('svg.diagram .badge')].map(e => e.getAttribute('href')).sort()")
    listed = window.ask("[...document.querySelectorAll('#drawing-text a')].map(e => e.getAttribute('href')).sort()")
    assert drawn == listed
    assert len(drawn) == 8


def test_texts_of_the_drawing_stay_in_their_boxes(opened: Open) -> None:
    """With the fonts of this machine, of which DejaVu is as wide as any."""
    window = opened(html(clinic.AUDIT))
    out = window.ask(
        """[...document.querySelectorAll("svg.diagram .node")].filter(node => {
             const box = node.querySelector("rect").getBBox();
             return [...node.querySelectorAll("text")].some(t => t.getBBox().x + t.getBBox().width > box.x + box.width);
           }).map(node => node.textContent)"""
    )
    assert out == []


def test_the_way_of_a_simulation_is_numbered(opened: Open) -> None:
    window = opened(html(SIMULATED))
    assert window.ask("[...document.querySelectorAll('.step text')].map(e => e.textContent)") == [
        "2",
        "1, 2",
        "1, 2",
        "1",
    ]
    assert window.ask("[...document.querySelectorAll('.ended text')].map(e => e.textContent)") == ["2: waits for ever"]
    assert visible(window, ".leg") == 2


def test_a_verification_shows_drift_readiness_and_findings(opened: Open) -> None:
    window = opened(html(PAGES["clinic-verification"]))
    links = window.page.locator(".link").all_inner_texts()
    assert [each.split("\n")[0] for each in links] == ["bot", "work stream", "queue", "people"]
    assert [each.split("\n")[2] for each in links] == ["ok", "unknown", "waived", "broken"]
    assert (visible(window, ".change"), visible(window, "#findings .card")) == (5, 8)


# -- hostile, large, masked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_harms_no_page(name: str, opened: Open) -> None:
    window = opened("<title></title>", width=360)
    for document in documents(HOSTILE[name]).values():
        page = html(document)
        window.become(page)
        assert landmarks(window) == ["en", True, 1, 1, True]
        assert overflow(window) == 0
        links = window.ask("[...document.querySelectorAll('a')].map(e => e.getAttribute('href'))")
        assert [each for each in links if not each.startswith(("#", "https://", "http://"))] == []
        assert (
            window.ask("document.querySelectorAll('img, iframe, object, [onerror], [onfocus], [autofocus]').length")
            == 0
        )
        assert window.ask("document.querySelectorAll('script').length") == 1
        assert not any(character in page for character in "\u202e\u2066\x1b\x00")


def test_findings_about_hostile_names_have_anchors_that_work(opened: Open) -> None:
    subject = clinic.FINDINGS[0].subject
    findings = tuple(
        replace(clinic.FINDINGS[0], subject=replace(subject, kind="queue", key=said))
        for said in (*NASTY, *HOSTILE.values())
    )
    window = opened(html(Audit(clinic.CENTER, findings)))
    for anchor in window.ask("[...document.querySelectorAll('.aside a')].map(e => e.getAttribute('href').slice(1))"):
        window.ask("document.querySelectorAll('.card').forEach(each => each.open = false)")
        window.ask("anchor => { location.hash = anchor }", anchor)
        window.page.wait_for_function("() => document.querySelectorAll('.card[open]').length === 1")
        assert window.ask("document.querySelector('.card[open] > summary').id") == anchor


def test_five_thousand_changes_open_and_filter(opened: Open) -> None:
    actions = (Action.CREATE, Action.UPDATE)
    changes = tuple(
        samples.change(actions[n % 2], f"kind_{n % 5}", f"Thing {n}", ("priority", 1, 2), line=7) for n in range(5000)
    )
    page = html(Plan(samples.ENVIRONMENT, "large", "ab" * 32, changes, 0, (), Cost(2, 16, 5000)))
    assert len(page) < 5_000_000
    window = opened(page)
    assert said(window) == "5,000 changes"
    window.page.get_by_role("searchbox").fill("Thing 4999")
    assert said(window) == "1 of 5,000 changes shown"
    window.page.emulate_media(media="print")
    window.page.locator("[data-facet=text]").evaluate(
        "e => { e.value = ''; e.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    assert visible(window, ".change") == 5000


@pytest.mark.parametrize("name", NAMES)
def test_people_are_masked_everywhere(name: str) -> None:
    page = html(documents("Nora Quist <nora.quist@contoso.example>")[name], mask=Mask([("Nora Quist",)]))
    assert "Nora" not in page
    assert "nora" not in page
    assert "person-1" in page
