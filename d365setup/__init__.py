"""Provisions a Dynamics 365 Omnichannel environment for a bot from a declarative playbook."""

__version__ = "0.1.0"
