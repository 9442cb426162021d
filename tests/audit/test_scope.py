"""The part of an environment that a playbook is about."""

from __future__ import annotations

from d365setup.audit.scope import part_of
from d365setup.center import ContactCenter, Overflow, Queue, User, Workstream
from tests.audit.harness import playbook
from tests.kinds.site import APPLICATION, BOT

TEXT = BOT + (
    """
queues:
  - {name: Declared, existing: true}
workstreams:
  - {name: Chat}
"""
)
OWN, OTHER = (User(name, name, application_id=name, bot_id=name) for name in ("own", "other"))
DECLARED = User("declared", "Health Bot", application_id=APPLICATION.upper(), bot_id="x")
CENTER = ContactCenter(
    workstreams=(
        Workstream("w1", "Chat", fallback_id="fallback", bot_user_id="own", bot_queue_id="own queue"),
        Workstream("w2", "Voice", fallback_id="elsewhere"),
    ),
    queues=(
        Queue("d", "Declared"),
        Queue("fallback", "Fallback", inqueue=(Overflow("waited", "transfer", 60, "spill"),)),
        Queue("spill", "Spill"),
        Queue("own queue", "Own queue"),
        Queue("elsewhere", "Elsewhere", members=(OTHER,)),
    ),
    users=(OWN, OTHER, DECLARED),
)


def test_what_is_declared_and_what_it_leads_to_is_kept() -> None:
    wanted = playbook(TEXT)
    assert wanted
    part = part_of(CENTER, wanted)
    assert [each.name for each in part.workstreams] == ["Chat"]
    assert [each.name for each in part.queues] == ["Declared", "Fallback", "Spill", "Own queue"]
    assert [each.row_id for each in part.users] == ["own", "declared"]


def test_names_count_exactly() -> None:
    wanted = playbook(TEXT.replace("Chat", "chat").replace("Declared", "declared"))
    assert wanted
    part = part_of(CENTER, wanted)
    assert (part.workstreams, part.queues) == ((), ())
