"""What is wrong with a fleet file as a whole: twins, sign-ins that lack a part, names that nobody has."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeGuard

from d365setup.fleet.choosing import REST
from d365setup.fleet.entries import Environment, Fleet, SignIn, moment
from d365setup.model import canonical_guid, fold
from d365setup.playbook.mistakes import Mistakes, meant, shown
from d365setup.playbook.nodes import Fields


def check(fleet: Fleet, root: Fields, kinds: Collection[str], mistakes: Mistakes) -> None:
    """Tell every mistake that no single entry shows."""
    if not {"environments", "environments_from"} & root.by_name.keys():
        mistakes.add(root.source, "'environments' is missing: the list of them, or environments_from: a CSV file")
    elif not fleet.environments and not mistakes.found:
        mistakes.add(root.source, "there are no environments: list one at least")
    _tell_twins(fleet, mistakes)
    for each in fleet.environments:
        if each.playbook is None and "playbook" not in root.by_name:
            told = f"the environment {shown(each.name)} has no playbook: give it one, or one for all at the top"
            mistakes.add(each.source, told)
        _check_sign_in(each.sign_in, each, mistakes)
    for kind in fleet.limits.removals:
        if kind not in kinds:
            at = root.by_name["limits"].value.source
            mistakes.add(at, f"{shown(kind)} is no kind of thing{meant(kind, kinds)}")
    _check_order(fleet, root, mistakes)
    for freeze in fleet.freeze:
        if moment(freeze.begins, is_end=False) >= moment(freeze.ends, is_end=True):
            mistakes.add(freeze.source, "this freeze ends before it begins")
    if not mistakes.found:  # an environment with a mistake is not there, and its name would be missed
        _check_words(fleet, root, mistakes)


def _tell_twins(fleet: Fleet, mistakes: Mistakes) -> None:
    """No two go by one name, and none is there under two."""
    names: dict[str, Environment] = {}
    urls: dict[str, Environment] = {}
    organizations: dict[str, Environment] = {}
    for each in fleet.environments:
        first = names.setdefault(fold(each.name), each)
        if first is not each:
            mistakes.add(each.source, f"there are two environments named {shown(each.name)} (first at {first.source})")
        other = urls.setdefault(each.url, each)
        if other is not each:
            told = f"{shown(each.name)} has the URL of {shown(other.name)} ({other.source}): {each.url}"
            mistakes.add(each.source, told)
        twin = organizations.setdefault(each.organization, each) if _is_id(each.organization) else each
        if twin is not each:
            told = f"{shown(each.name)} has the organization of {shown(twin.name)} ({twin.source})"
            mistakes.add(each.source, told)


def _is_id(organization: str | None) -> TypeGuard[str]:
    """Names of organizations may be the same, ids never are."""
    try:
        return organization is not None and canonical_guid(organization) == organization
    except ValueError:
        return False


def _check_sign_in(given: SignIn | None, of: Environment, mistakes: Mistakes) -> None:
    if given is None:
        return
    if len(given.ways) != 1:
        ways = "secret, token, certificate, federated_token_file, federated, managed_identity"
        told = f"names {' and '.join(given.ways)}" if given.ways else "names no way"
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} {told}: one of {ways} is right")
    elif given.ways[0] not in ("token", "managed_identity") and given.client_id is None:
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} lacks client_id: which application signs in")
    if given.federated == "azure-pipelines" and given.service_connection is None:
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} lacks service_connection: its id in Azure Pipelines")


def _check_order(fleet: Fleet, root: Fields, mistakes: Mistakes) -> None:
    """No wave that nobody could be left for: behind `rest`, or there a second time."""
    seen: set[str] = set()
    for wave in fleet.waves:
        told = ""
        if REST in seen:
            told = f"nobody is left for {shown(wave.of)} behind 'rest': put rest last"
        elif wave.of in seen and not wave.of.endswith("%"):
            told = f"the wave {shown(wave.of)} is there twice"
        if told:
            mistakes.add(root.by_name["waves"].value.source, told)
        seen.add(wave.of)


def _check_words(fleet: Fleet, root: Fields, mistakes: Mistakes) -> None:
    """Waves and freezes name environments that are there; a misspelt exception would freeze the wrong ones."""
    words = list(dict.fromkeys(w for e in fleet.environments for w in (e.name, e.group, *e.labels) if w))
    names = [each.name for each in fleet.environments]
    for wave in fleet.waves:
        if wave.of != REST and not wave.of.endswith("%") and wave.of not in words:
            told = f"no environment has the name, group or label {shown(wave.of)}{meant(wave.of, words)}"
            mistakes.add(root.by_name["waves"].value.source, told)
    for each in fleet.freeze:
        for word in each.only:
            if word not in words:
                mistakes.add(each.source, f"no environment is called {shown(word)}{meant(word, words)}")
        for name in each.excepted:
            if name not in names:
                mistakes.add(each.source, f"no environment is named {shown(name)}{meant(name, names)}")
