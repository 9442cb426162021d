"""The way from files to a `Playbook`: read, merge, fill in variables, build the specs, check them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d365setup.model import Source
from d365setup.playbook import handoff, sections
from d365setup.playbook.checking import Names, check
from d365setup.playbook.document import Head, Playbook
from d365setup.playbook.filling import Filler, tell_wanting, used
from d365setup.playbook.layers import Layer, layer_of, read_layers, sha256
from d365setup.playbook.merging import merged
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Fields
from d365setup.playbook.sections import Specs
from d365setup.playbook.shapes import shape
from d365setup.playbook.variables import COMMAND_LINE, Declared, Giver, Sources, declared
from d365setup.playbook.wording import tell_empty

TAIL = ("health_bot", "scenarios", "tests")
_LITERAL = ("playbook", "extends", "variables")  # read before variables have values


def load_file(
    path: Path,
    specs: Specs,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    examples: bool = False,
    giver: Giver = COMMAND_LINE,
) -> Playbook:
    """Load a playbook and the files it extends. Raises PlaybookError with every mistake in them.

    ``variables`` come from ``giver``, ``environ`` from `environment()`; with ``examples`` a variable without
    any other value takes its example.
    """
    mistakes = Mistakes()
    layers = read_layers(path, mistakes)
    if not layers:
        mistakes.raise_any()
    return _playbook(layers, specs, Sources(variables, environ, examples, giver), mistakes)


def load_texts(texts: Sequence[tuple[str, str]], specs: Specs, variables: Mapping[str, str]) -> Playbook:
    """Load a playbook from the texts of its files, the first one first, as `Playbook.texts` has them.

    Variables have the values given and no others. Raises PlaybookError with every mistake.
    """
    mistakes = Mistakes()
    layers = [layer_of(text.encode("utf-8", "surrogatepass"), file, mistakes) for file, text in texts]
    found = [each for each in layers if each is not None]
    if not found or len(found) < len(layers):
        mistakes.raise_any()
    return _playbook(found, specs, Sources(variables, {}), mistakes)


def load(
    text: str,
    specs: Specs,
    variables: Mapping[str, str],
    *,
    name: str = "playbook.yaml",
    environ: Mapping[str, str] | None = None,
    examples: bool = False,
) -> Playbook:
    """Load a playbook given as text; it cannot extend a file. Raises PlaybookError with every mistake in it."""
    mistakes = Mistakes()
    layer = layer_of(text.encode("utf-8", "surrogatepass"), name, mistakes)
    if layer is None:
        mistakes.raise_any()
    layers = [layer] if layer else []
    for each in layers:
        if "extends" in each.root.by_name:
            told = "a playbook given as text cannot extend a file: save it as one"
            mistakes.add(each.root.by_name["extends"].key.source, told)
    return _playbook(layers, specs, Sources(variables, environ or {}, examples), mistakes)


def _playbook(layers: Sequence[Layer], specs: Specs, sources: Sources, mistakes: Mistakes) -> Playbook:
    variables = _variables(layers, sources, mistakes)
    filler = Filler(variables, mistakes)
    root = merged([_filled(layer.root, filler) for layer in layers], mistakes)
    body = root.without(*_LITERAL)
    for source, message in tell_empty(body):
        mistakes.add(source, message)
    tell_wanting(body, variables, mistakes, sources.giver)
    found = _document(body, specs, mistakes)
    mistakes.raise_any()
    files = tuple(layer.file for layer in layers)
    uses = tuple(use for name in used(body, variables) if (use := variables[name].use))
    texts = tuple((layer.file, layer.text) for layer in layers)
    return replace(found, sha256=sha256(layers), files=files, variables=uses, texts=texts)


def _document(body: Fields, specs: Specs, mistakes: Mistakes) -> Playbook:
    """What the text means; incomplete where something is wrong with it."""
    lists = (*sections.sections(specs), *TAIL)
    head = shape(Head, "playbook", "", (*_LITERAL, *lists)).read(body, mistakes, {"source": body.source})
    built = sections.build(body, specs, mistakes)
    check(built, specs, mistakes)
    names = Names(built.desired, specs, built.broken, mistakes)
    return Playbook(
        head.name if head else "",
        head.description if head else "",
        built.desired,
        handoff.health_bot(body, mistakes),
        handoff.scenarios(body, names, mistakes),
        handoff.tests(body, names, mistakes),
    )


def _variables(layers: Sequence[Layer], sources: Sources, mistakes: Mistakes) -> dict[str, Declared]:
    """Declared in any of the files; they merge like everything else."""
    parts = [
        Fields(tuple(e for e in layer.root.entries if e.name == "variables"), layer.root.source) for layer in layers
    ]
    section = merged(parts, Mistakes()).get("variables")
    return declared(section, sources, Source(layers[0].file, 1, 1), mistakes)


def _filled(root: Fields, filler: Filler) -> Fields:
    kept = tuple(entry for entry in root.entries if entry.name in _LITERAL)
    return replace(root, entries=(*kept, *filler.fields(root.without(*_LITERAL)).entries))
