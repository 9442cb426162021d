import uuid
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.dataverse.odata import any_of, guid, key, query, quote_string

from .service import ID, ROOT

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_quote_is_doubled():
    assert quote_string("O'Neil") == "'O''Neil'"


@given(TEXT)
def test_a_quoted_string_reads_back(text):
    quoted = quote_string(text)
    assert quoted[0] == quoted[-1] == "'"
    assert quoted[1:-1].replace("''", "'") == text
    assert quoted[1:-1].replace("''", "").count("'") == 0


@given(TEXT, st.lists(TEXT.filter(bool), max_size=3), TEXT)
def test_a_query_string_reads_back_whatever_it_holds(filter_text, select, orderby):
    path = query("queues", select=select, filter=filter_text, orderby=orderby)
    assert path.isascii()
    parts = urlsplit(ROOT + path)
    assert parts.path == "/api/data/v9.2/queues"
    assert parts.fragment == ""
    wanted = {"$select": ",".join(select), "$filter": filter_text, "$orderby": orderby}
    assert parse_qsl(parts.query, keep_blank_values=True) == [(k, v) for k, v in wanted.items() if v]


def test_every_option_has_its_place():
    path = query(
        "queues", select=["name", "queueid"], filter="a eq 'x y'", expand=["m($select=n)"], orderby="name", top=2
    )
    assert path == "queues?$select=name,queueid&$filter=a%20eq%20'x%20y'&$expand=m($select=n)&$orderby=name&$top=2"


def test_options_left_out_leave_no_question_mark():
    assert query("queues") == "queues"


@pytest.mark.parametrize("path", ["", "queues?x=1", "queues#a", "que\nues", "a\\b"])
def test_what_is_no_entity_set_is_refused(path):
    with pytest.raises(ValueError, match="not an entity set"):
        query(path)


def test_top_must_be_positive():
    with pytest.raises(ValueError, match="1 or more"):
        query("queues", top=0)


@given(st.uuids())
def test_every_spelling_of_a_guid_gives_the_same(value):
    for spelling in (value, str(value).upper(), f"{{{value}}}", f" {value} "):
        assert guid(spelling) == str(value)


@pytest.mark.parametrize("text", ["", "x", ID[:-1], ID.replace("-", ""), f"{{{ID}", f"urn:uuid:{ID}", ID + "\n)"])
def test_what_is_no_guid_is_refused(text):
    with pytest.raises(ValueError, match="is not a GUID"):
        guid(text)


def test_a_key_is_bare_and_lower_case():
    assert key("queues", ID.upper()) == f"queues({ID})"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a"], "(name eq 'a')"),
        (["a", "b'c"], "(name eq 'a' or name eq 'b''c')"),
        ([1, True], "(name eq 1 or name eq true)"),
        ([uuid.UUID(ID)], f"(name eq {ID})"),
    ],
)
def test_any_of(values, expected):
    assert any_of("name", values) == expected


@pytest.mark.parametrize("values", [[], ["x"] * 501])
def test_any_of_refuses_what_the_service_would(values):
    with pytest.raises(ValueError, match=r"values|split it"):
        any_of("name", values)
