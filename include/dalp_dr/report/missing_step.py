"""The step that a runbook lacks: a page for whoever had to do something by hand, as a patch to the configuration repository.

A manual change that neither Git nor a runbook says fails the drill. What was changed, by whom and when is known; what for is not:
that a person writes, and the claim stays withdrawn until a later drill passes with the step covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.text import visible

MANUAL = ("no_manual_changes", "no_task_marked", "reruns_explained", "code_unchanged")
FOLDER = "runbooks/missing-steps"
LONGEST_LINE = 300


@dataclass(frozen=True)
class Step:
    """One page: where it belongs in the repository, its text, and the commit's message."""

    path: str
    text: str
    message: str

    def patch(self) -> str:
        """The page as a new file, for `git apply`."""
        lines = self.text.splitlines()
        head = [f"diff --git a/{self.path} b/{self.path}", "new file mode 100644", "--- /dev/null", f"+++ b/{self.path}"]
        return "\n".join([*head, f"@@ -0,0 +1,{len(lines)} @@", *(f"+{line}" for line in lines)]) + "\n"


def of(summary: Mapping[str, Any]) -> Step | None:
    """The page for the manual changes among a summary's reasons; None when there are none that were found."""
    found = [r for r in summary["reasons"] if r["check"] in MANUAL and r["verdict"] == "fail"]
    if not found:
        return None
    drill = str(summary["drill_id"])
    sections = [line for reason in found for line in _section(reason)]
    text = [
        f"# What {drill} needed and no runbook said",
        "",
        f"Environment {_plain(summary['environment'])}, drill asked for at {_plain(summary['started_at'])}.",
        "The drill has failed; it is repeated when the step is written and merged.",
        "",
        *sections,
        "## The step",
        "",
        "What was missing, in the words you needed at that moment:",
        "",
        "Who does it, when, and how one sees that it worked:",
        "",
        "Reviewed by:",
    ]
    return Step(f"{FOLDER}/{drill}.md", "\n".join(text) + "\n", f"runbooks: the step that {drill} needed and no runbook said")


def _section(reason: Mapping[str, Any]) -> list[str]:
    """One kind of change: what was found, each line with object or task, field, who and when, and where the step belongs."""
    return [
        f"## {_plain(reason['check'])}",
        "",
        f"Found: {_plain(reason['observed'])}. Write the step into runbook section `{_plain(reason['runbook'])}`.",
        "",
        *(f"- {_plain(finding)}" for finding in reason["findings"]),
        "",
    ]


def _plain(value: Any) -> str:
    """One line that no name in it can break."""
    return visible(str(value)).replace("\n", " ").replace("`", "'")[:LONGEST_LINE]
