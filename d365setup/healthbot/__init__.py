"""The Health Bot's side of the hand-off: scenarios as values, made from a playbook and read from exports."""

from d365setup.healthbot.graph import Graph, ScenarioError, Step, read_graph, write_graph
from d365setup.healthbot.scenario import StoredScenario, differences, import_body, read_scenario, same

__all__ = [
    "Graph",
    "ScenarioError",
    "Step",
    "StoredScenario",
    "differences",
    "import_body",
    "read_graph",
    "read_scenario",
    "same",
    "write_graph",
]
