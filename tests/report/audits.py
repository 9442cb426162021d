"""Audits with everything in them that can be in one. No page has these ids: what pages say is not tested here."""

from __future__ import annotations

from d365setup.audit import Audit, Finding, Subject, Unchecked, Waived, WaiverTrouble
from d365setup.center import ContactCenter, Unread
from d365setup.model import Source

CENTER = ContactCenter(
    origin="live",
    taken_at="2026-11-22T11:22:02Z",
    url="https://contoso.crm.dynamics.com",
    organization_id="9872523f-806d-587c-a69d-383f68cf01ef",
    organization="Contoso Health",
    unread=(Unread("msdyn_decisioncontract", "", "the caller may not read it (HTTP 403)"),),
)
CHAT = Subject(
    "workstream",
    "Patient chat",
    "11111111-2222-4333-8444-555555555555",
    "msdyn_liveworkstream",
    Source("playbooks/bot.yaml", 31, 5),
)
OTHER = Subject("workstream", "Billing chat", "66666666-2222-4333-8444-555555555555", "msdyn_liveworkstream")
BOT = Subject("queue", "Health bot")
SAME = {
    "consequence": "A conversation that no rule catches has nowhere to go where a person could see it: it waits, or "
    "the system closes it.",
    "cure": "Give the work stream a fallback queue with people in it: `fallback_queue:` in the playbook.",
    "source_page": "Microsoft Learn, Customer Service: Create and manage queues",
}
FINDINGS = (
    Finding("X12", "error", CHAT, "it has no fallback queue", **SAME),
    Finding(
        "X12",
        "error",
        OTHER,
        "nobody is in its fallback queue Billing",
        (("queue", "Billing"), ("people", "0"), ("asked for", "nora.quist@contoso.example")),
        **SAME,
    ),
    Finding("X09", "warning", BOT, "its bot has less capacity than Nora Quist", (("bot", "1"), ("person", "100"))),
    Finding(
        "X03",
        "warning",
        BOT,
        "it has no description",
        waived=Waived("it is replaced in March", "ops@contoso.example", "2027-03-31"),
    ),
    Finding("X26", "info", CHAT, "it was changed 4 minutes ago"),
)
AUDIT = Audit(
    CENTER,
    FINDINGS,
    (
        Unchecked("X20", "the directory cannot be read with these rights"),
        Unchecked("X07", "the routing contract could not be read", CHAT),
        Unchecked("X07", "the routing contract could not be read", OTHER),
    ),
    ("X01", "X02", "X05"),
    (
        WaiverTrouble(
            "error", "the waiver of X04 for queue:Nurses expired on 2026-10-31", Source("waivers.yaml", 4, 5)
        ),
        WaiverTrouble("warning", "nothing needed the waiver of X06 for queue:Old"),
    ),
    "contoso-health-bot",
    "ab" * 32,
)
CLEAN = Audit(CENTER, (), (), ("X01", "X12"))
UNSURE = Audit(ContactCenter(), (), (Unchecked("X20", "no directory"),))
AUDITS = {"audit": AUDIT, "audit-clean": CLEAN, "audit-unsure": UNSURE}
