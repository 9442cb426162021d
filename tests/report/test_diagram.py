"""What a drawing shows and where it stands: pure, without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.audit import Finding, Subject
from d365setup.center import Configuration, ContactCenter, Queue, RoutingStep, RuleSet, User, Workstream
from d365setup.model import join_key
from d365setup.report.as_html import html
from d365setup.report.diagram import Diagram, Told, diagram
from d365setup.report.diagram.layout import BETWEEN, Box, spread
from d365setup.report.diagram.wording import shortened, width
from d365setup.report.html.web import anchors, link
from d365setup.routing import Leg, Transferred
from tests.report import clinic
from tests.report.clinic import BILLING, CENTER, CHAT, EMPTY, FINDINGS, NURSES, SIMULATION, equals, row, rule

LIGHT_DARK = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")


def drawn(center: ContactCenter = CENTER, findings: tuple[Finding, ...] = ()) -> Diagram:
    return diagram(center, findings, anchors=anchors(findings, str))


def texts(told: tuple[Told, ...]) -> list[str]:
    return [text for each in told for text in (each.text, *texts(each.below))]


def overlapping(boxes: list[Box]) -> list[tuple[Box, Box]]:
    return [
        (a, b)
        for a, b in combinations(boxes, 2)
        if a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom
    ]


def large(streams: int, rules: int) -> ContactCenter:
    """Many work streams, each with rules to the clinic's queues."""

    def stream(number: int) -> Workstream:
        made = tuple(
            rule(1000 * number + each, f"Rule {each}", equals("Topic", each), CENTER.queues[(number + each) % 4])
            for each in range(rules)
        )
        steps = (RoutingStep(row(10), "route to queue", rule_set=RuleSet(row(11), rules=made)),)
        return replace(
            CHAT,
            row_id=row(5000 + number),
            name=f"Stream {number}",
            configurations=(Configuration(row(12), steps=steps),),
        )

    return replace(CENTER, workstreams=tuple(stream(each) for each in range(streams)))


def test_nothing_stands_on_anything_else_and_the_picture_is_the_same_twice() -> None:
    picture = drawn(CENTER, FINDINGS)
    assert picture == drawn(CENTER, FINDINGS)
    assert overlapping([shape.box for shape in picture.drawing.shapes]) == []
    assert max(shape.box.bottom for shape in picture.drawing.shapes) < picture.drawing.height
    assert max(shape.box.right for shape in picture.drawing.shapes) < picture.drawing.width


@given(st.lists(st.tuples(st.floats(-1000, 5000), st.floats(10, 300)), max_size=30))
def test_things_of_a_column_never_touch_and_stay_in_their_order(wished: list[tuple[float, float]]) -> None:
    wished.sort()
    sizes = [size for _, size in wished]
    tops = spread([top for top, _ in wished], sizes, 50)
    assert all(top >= 50 for top in tops)
    for (top, size), (below, _) in pairwise(zip(tops, sizes, strict=True)):
        assert below >= top + size + BETWEEN - 1e-6


@given(st.text(max_size=300), st.floats(5, 20), st.floats(30, 400))
def test_a_shortened_text_is_a_beginning_that_fits(text: str, size: float, room: float) -> None:
    short = shortened(text, size, room)
    assert width(short, size) <= room or short == "…"
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_more_queues_and_bots_than_a_page_takes_are_counted() -> None:
    bots = tuple(User(row(500 + n), f"Bot {n}", bot_id="b") for n in range(47))
    queues = tuple(Queue(row(600 + n), f"Queue {n}", members=(bot,)) for n, bot in enumerate(bots))
    rules = tuple(rule(700 + n, f"Rule {n}", equals("Topic", str(n)), queue) for n, queue in enumerate(queues))
    routes = [
        Configuration(row(1), steps=(RoutingStep(row(2), "route to queue", rule_set=RuleSet(row(3), rules=each)),))
        for each in (rules[:12], rules[12:24], rules[24:36], rules[36:])
    ]
    streams = tuple(Workstream(row(800 + n), f"Stream {n}", configurations=(each,)) for n, each in enumerate(routes))
    picture = drawn(ContactCenter(workstreams=streams, queues=queues, users=bots))
    assert picture.left_out == ("7 more queues are not drawn.",)
    crowded = replace(queues[0], members=bots)
    picture = drawn(ContactCenter(workstreams=streams[:1], queues=(crowded, *queues[1:]), users=bots))
    assert picture.left_out == ("7 more bots are not drawn.",)


def test_two_hundred_work_streams_are_drawn_in_part_and_it_says_so() -> None:
    center = large(200, 100)
    last = center.workstreams[199]
    routes = last.routes
    assert routes
    subject = Subject("routing_rule", join_key(last.name, routes.rules[90].name))
    picture = drawn(
        center,
        (Finding("R09", "error", subject, "gone"), Finding("R12", "info", Subject("workstream", "Stream 50"), "x")),
    )
    names = [shape.told.split(":")[0] for shape in picture.drawing.shapes]
    assert [each for each in names if each.startswith("Stream")] == [f"Stream {n}" for n in (0, 1, 2, 3, 4, 5, 50, 199)]
    assert "91. Rule 90" in names
    assert "88 more rules are not drawn" in names
    assert "8 of 200 are drawn" in picture.left_out[0]
    assert "192 other work streams are not drawn" in picture.left_out[0]
    assert len(picture.places) == 2
    assert picture.drawing.height < 8000


@pytest.mark.parametrize(
    ("kind", "key", "row_id", "place"),
    [
        ("queue", "Nurses", NURSES.row_id, "Nurses"),
        ("queue", "Nurses", "", "Nurses"),
        ("queue", "Nurses", row(999), None),  # another queue of that name
        ("queue_member", "Nurses/nurse.one@contoso.example", row(7), "Nurses"),
        ("bot_user", "Contoso Health Bot", "", "Contoso Health Bot"),
        ("role_assignment", "Contoso Health Bot/Omnichannel agent", row(8), "Contoso Health Bot"),
        ("workstream", "Patient chat", CHAT.row_id, "Patient chat"),
        ("context_variable", "Patient chat/Severity", row(9), "Patient chat"),
        ("routing_rule", "Patient chat/Urgent", row(63), "2. Urgent"),
        ("queue", "Nobody knows", "", None),
        ("user", "Nurse One", row(7), None),
    ],
)
def test_a_finding_is_marked_on_what_it_is_about(kind: str, key: str, row_id: str, place: str | None) -> None:
    picture = drawn(CENTER, (Finding("R99", "warning", Subject(kind, key, row_id), "odd"),))
    marked = [shape.told.split(":")[0] for shape in picture.drawing.shapes if shape.marks]
    assert marked == ([place] if place else [])
    assert len(picture.places) == len(marked)


def test_waived_findings_are_not_marked() -> None:
    assert drawn(CENTER, (clinic.WAIVED,)).places == {}


def test_a_name_with_a_slash_is_found() -> None:
    stream = replace(CHAT, name="Chat / night")
    subject = Subject("context_variable", join_key("Chat / night", "Severity"))
    picture = drawn(replace(CENTER, workstreams=(stream,)), (Finding("R06", "error", subject, "odd"),))
    assert [shape.title for shape in picture.drawing.shapes if shape.marks] == ["Chat / night"]


def test_many_marks_on_one_thing_are_counted() -> None:
    findings = tuple(Finding(f"R{n:02}", "error", Subject("queue", "Nurses"), "odd") for n in range(9))
    (shape,) = (each for each in drawn(CENTER, findings).drawing.shapes if each.marks)
    assert sorted(each.text for each in shape.badges) == ["+6", "R00", "R01", "R02"]


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (replace(CHAT, configurations=None), "Its rules were not read"),
        (replace(CHAT, fallback_read=False, fallback_id=""), "No rule matches: the fallback queue was not read"),
        (
            replace(CHAT, push=False, unit_based=False),
            "Work stream Patient chat: picked by people, by capacity profiles",
        ),
        (replace(CHAT, active=False), "Work stream Patient chat: inactive"),
    ],
)
def test_a_work_stream_is_told_as_it_is(stream: Workstream, said: str) -> None:
    assert said in texts(drawn(replace(CENTER, workstreams=(stream,))).told)


def test_members_that_were_not_read_are_not_taken_for_nobody() -> None:
    assert "Members not read" in texts(drawn(replace(CENTER, queues=(replace(NURSES, members=None),))).told)


def test_rules_that_cannot_be_read_and_disabled_ones_say_so() -> None:
    steps = (RoutingStep(row(1), "route to queue", rule_set=RuleSet(row(2), problem="it is no XML")),)
    broken = replace(CHAT, configurations=(Configuration(row(3), steps=steps),))
    assert "Its rules cannot be read: it is no XML" in texts(drawn(replace(CENTER, workstreams=(broken,))).told)
    rules = RuleSet(row(2), rules=(clinic.RULES[1],), disabled=frozenset({clinic.RULES[1].id}))
    steps = (RoutingStep(row(1), "route to queue", rule_set=rules),)
    disabled = replace(CHAT, configurations=(Configuration(row(3), steps=steps),))
    told = texts(drawn(replace(CENTER, workstreams=(disabled,))).told)
    assert "1. Urgent: disabled; Severity at least 7 and Vip equals yes → Nurses" in told


def test_many_bots_of_a_queue_are_counted() -> None:
    bots = tuple(User(row(300 + n), f"Bot {n}", bot_id=row(400 + n)) for n in range(6))
    queues = (replace(clinic.BOT_QUEUE, members=bots), *CENTER.queues[1:])
    assert "3 more bots" in texts(drawn(replace(CENTER, queues=queues)).told)


def test_the_way_goes_through_the_fallback_and_to_a_queue_no_rule_leads_to() -> None:
    first = replace(SIMULATION.strict.legs[0], chosen_by="fallback queue", rule="", rules=())
    moved = Leg(
        Transferred("Out of hours"), queue="Out of hours", queue_id=EMPTY.row_id, chosen_by="transfer", closed=True
    )
    path = replace(SIMULATION, strict=replace(SIMULATION.strict, legs=(first, moved)))
    stream = replace(CHAT, configurations=())
    told = texts(diagram(replace(CENTER, workstreams=(stream,)), path=path).told)
    assert "No rule matches: the fallback queue → Health bot [step 1 of the simulation]" in told
    assert "a simulated step ends here: 2: closed by the system" in told


def test_the_way_follows_overflow_from_queue_to_queue() -> None:
    leg = replace(SIMULATION.strict.legs[0], rule="Urgent", rules=(), chosen_by="overflow", answer="person")
    leg = replace(leg, queue="Billing", queue_id=BILLING.row_id)
    path = replace(SIMULATION, strict=replace(SIMULATION.strict, legs=(leg,)))
    told = texts(diagram(CENTER, path=path).told)
    assert "spills over to queue Billing [step 1 of the simulation]" in told
    assert "4 people, 4 able [step 1 of the simulation]" in told


def test_a_simulation_of_a_work_stream_nobody_knows_draws_no_way() -> None:
    picture = diagram(CENTER, path=replace(SIMULATION, workstream="Other"))
    assert not any("Work stream" in each or "step" in each for each in texts(picture.told))


# -- anchors, links, colours -----------------------------------------------------------------------------------------


def about(code: str, kind: str, key: str) -> Finding:
    return Finding(code, "error", Subject(kind, key), "odd")


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_unlike_names_get_unlike_anchors_that_stand_in_a_page(names: list[str]) -> None:
    found = anchors([about("R12", "queue", name) for name in names], str)
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_./~-]{1,100}", each) for each in found)


def test_anchors_are_the_same_in_every_report_and_distinct_for_twins() -> None:
    first, other, again = (
        about("R12", "queue", "Nurses"),
        about("R12", "queue", "Nürses"),
        about("R12", "queue", "Nurses"),
    )
    assert anchors([first], str) == ("R12-queue-Nurses",)
    assert anchors([other, first], str)[1] == "R12-queue-Nurses"
    assert anchors([first, again], str) == ("R12-queue-Nurses", "R12-queue-Nurses~2")
    assert anchors([other], str) == anchors([other, first, again], str)[:1]


def test_a_masked_name_is_in_no_anchor() -> None:
    member = about("R18", "queue_member", "Nurses/nora.quist@contoso.example")
    assert anchors([member], lambda text: text.replace("nora.quist@contoso.example", "person-1")) == anchors(
        [about("R18", "queue_member", "Nurses/person-1")], str
    )


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://contoso.crm.dynamics.com/main.aspx?id=1", True),
        ("http://127.0.0.1:5000/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//contoso.example", False),
        ("https:", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_linked(address: str, *, taken: bool) -> None:
    assert link(address) == (address if taken else "")


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


INKS = ("ink", "quiet", "accent", "error", "warning", "info", "good", "way")
PAIRS = [
    *((ink, ground, 4.5) for ink in INKS for ground in ("ground", "paper", "sunk")),
    *((level, f"{level}-soft", 4.5) for level in ("error", "warning", "info", "good")),
    *(("ink", soft, 4.5) for soft in ("accent-soft", "good-soft")),
    *(("on-mark", level, 4.5) for level in ("error", "warning", "info", "way", "quiet")),
    ("edge", "paper", 3.0),
    ("edge", "sunk", 3.0),
]


@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_colours_can_be_told_apart_in_both_schemes(ink: str, ground: str, least: float) -> None:
    colours = {name: (light, dark) for name, light, dark in LIGHT_DARK.findall(html(clinic.AUDIT))}
    for scheme in (0, 1):
        assert contrast(colours[ink][scheme], colours[ground][scheme]) >= least
