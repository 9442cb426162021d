"""An environment, or a part of it, as the text of a playbook whose plan there is empty."""

from d365setup.exporting.chosen import NAMES, Chosen, part_of
from d365setup.exporting.export import Export, exported
from d365setup.exporting.page import Page, Unfit
from d365setup.exporting.refreshing import refreshed
from d365setup.exporting.seeds import seeds

__all__ = ["NAMES", "Chosen", "Export", "Page", "Unfit", "exported", "part_of", "refreshed", "seeds"]
