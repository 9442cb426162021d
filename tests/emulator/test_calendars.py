"""Calendars and their rules, operating hours, questions, and the organization's limit of declines.

Names of calendarrule: its published reference, and "Calendar entities" of the developer guide. The limit:
CS administer/assignment-methods ("msdyn_omnichannelconfigurations"). Survey questions: the published reference.
"""

from __future__ import annotations

from .conftest import Api, code


def test_a_calendar_is_made_with_its_rules_and_read_with_them(api: Api) -> None:
    leaf = {"offset": 480, "duration": 540, "timecode": 0, "timezonecode": 110}
    inner = api.create("calendars", {"name": "Nine to five", "calendar_calendar_rules": [leaf]})
    bound = {"innercalendarid@odata.bind": f"/calendars({inner})", "pattern": "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO"}
    outer = api.create("calendars", {"name": "Office", "calendar_calendar_rules": [bound]})
    columns = "pattern,offset,duration,_innercalendarid_value"
    where = f"calendarid eq {outer} or calendarid eq {inner}"
    rows = api.rows(f"calendars?$select=name&$filter={where}&$expand=calendar_calendar_rules($select={columns})")
    rules = {row["name"]: row["calendar_calendar_rules"] for row in rows}
    assert [(rule["offset"], rule["duration"]) for rule in rules["Nine to five"]] == [(480, 540)]
    assert [rule["_innercalendarid_value"] for rule in rules["Office"]] == [inner]
    assert api.rows(f"calendars({inner})/inner_calendar_calendar_rules?$select=pattern")[0]["pattern"]


def test_a_rule_needs_its_calendar(api: Api) -> None:
    assert code(api.post("calendarrules", {"pattern": "FREQ=DAILY"})) == (400, "0x80040203")


def test_declines_are_one_to_five_or_nothing(api: Api) -> None:
    for allowed in (None, 1, 5):
        api.create("msdyn_omnichannelconfigurations", {"msdyn_number_of_declines_allowed": allowed})
    assert api.post("msdyn_omnichannelconfigurations", {"msdyn_number_of_declines_allowed": 6}).status_code == 400


def test_a_question_belongs_to_a_work_stream(api: Api) -> None:
    stream = api.rows("msdyn_liveworkstreams?$select=msdyn_name")[0]["msdyn_liveworkstreamid"]
    bound = {"msdyn_LiveWorkStreamToChatQuestion@odata.bind": f"/msdyn_liveworkstreams({stream})"}
    api.create("msdyn_surveyquestions", {"msdyn_name": "Consent", "msdyn_answertype": 192350004, **bound})
    path = "msdyn_LiveWorkStreamToChatQuestion/msdyn_name"
    (row,) = api.rows(f"msdyn_surveyquestions?$filter={path} eq 'Patient chat'")
    assert (row["msdyn_name"], row["_msdyn_liveworkstreamtochatquestion_value"]) == ("Consent", stream)
