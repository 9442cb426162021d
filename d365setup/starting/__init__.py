"""What a new folder begins with: a playbook, settings, and a pipeline. Values in, texts out; `disk` writes them."""

from d365setup.starting.choices import CI, Choices, chosen
from d365setup.starting.files import NewFile, new_files
from d365setup.starting.steps import next_steps

__all__ = ["CI", "Choices", "NewFile", "chosen", "new_files", "next_steps"]
