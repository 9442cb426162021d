"""PyYAML's parser in C and the one in Python: with either a playbook means the same, and mistakes are told alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from d365setup.errors import PlaybookError
from d365setup.playbook import reading
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.reading import MAX_DEPTH, read
from tests.playbook.test_loading import SHIPPED, TREES

MOST = 600  # values of a file here, or the one in Python would take a minute
FILES = sorted([*SHIPPED.rglob("*.yaml"), *Path(__file__).parent.glob("cases/**/*.yaml")])
TEXTS = {
    "a tab between": "name:\tcontoso\n",
    "a tab within": "name: the\tclinic\n",
    "a tab to indent": "queues:\n\t- name: Nurses\n",
    "not closed": "name: [a, b\n",
    "an alias": "a: &it {b: 1}\nc: *it\n",
    "a key twice": "name: a\nname: b\n",
    "styles": "a: 'on'\nb: \"on\"\nc: |\n  on\nd: >-\n  on\ne: on\n",
    "merged": "<<: {a: 1}\n'<<': 2\n",
    "a tag": "a: !!int '7'\nb: ! x\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "beyond the last character": 'a: "\\UFFFFFFFF"\n',
    "half a character": "a: '\ud800'\n",
    "line ends": "a: 1\r\nb: |\r\n  two\r\n  lines\r\n",
    "beyond the plane": "a: 😀 b\nÄ: {é: ö}\n",
    "an empty key": "a: {: b}\n",
    "an empty value at the end": "?",
    "a question between": "[=?&b]",
    "a mark of byte order at the end": "a: b\n\ufeff",
    "a remark too near": "a: |# b\n",
    "nothing": "",
    "remarks": "# nothing\n",
    "as deep as may be": "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "too deep": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "much too deep": "[" * 100_000,
    "many": "[" + "1," * (MOST - 1) + "]",
    "many with parts": "[" + "[]," * (MOST - 1) + "]",
    "too many": "[" + "1," * MOST + "]",
    "far too many": "[" + "[]," * 10_000 + "]",
}


def told(text: str, loader: type[yaml.SafeLoader] | None) -> tuple[object, list[str]]:
    """The nodes, with their places, and the mistakes."""
    mistakes, said = Mistakes(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "IN_C", loader)
        patch.setattr(reading, "MAX_NODES", MOST)
        node = read(text.encode("utf-8", "surrogatepass"), "a.yaml", mistakes)
    try:
        mistakes.raise_any()
    except PlaybookError as error:
        said = [str(each) for each in error.mistakes]
    return node, said


def same(text: str) -> None:
    assert told(text, yaml.CSafeLoader) == told(text, None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files(path: Path) -> None:
    same(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts(text: str) -> None:
    same(text)


@given(TREES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_tree_says(tree: object) -> None:
    same(yaml.safe_dump(tree, allow_unicode=True))


def test_the_one_in_c_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`yaml.parse` does nothing before the first event is asked for."""
    monkeypatch.setattr(yaml, "SafeLoader", None)
    assert told("name: contoso\n", yaml.CSafeLoader)[1] == []
