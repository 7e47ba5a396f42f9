"""`deficits check`: do sums agree with published figures, and is anything newer due?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from deficits.formatting import last_day
from deficits.panel.panel import Panel
from deficits.panel.reconcile import reconcile


@dataclass(frozen=True)
class Checked:
    """Result of a check: `sums` as `reconcile` gives them; `editions` one row a publication with a calendar.

    `editions` columns: publication, newest (date published, of what is held), next_expected, overdue (bool).
    """

    sums: pd.DataFrame
    editions: pd.DataFrame

    @property
    def sums_agree(self) -> bool:
        """No sum of councils differs from its published figure by more than its tolerance."""
        return not self.sums["state"].eq("differs").any()

    @property
    def fresh(self) -> bool:
        """Nothing newer was due by the day of the check."""
        return not self.editions["overdue"].any()


def check_panel(panel: Panel, today: date | None = None) -> Checked:
    """Compare the panel with the published national figures, and what is held with the publication calendar.

    `today` is the day of the check, by default this one.
    """
    today = today or date.today()
    rows = []
    for folder, source in panel.raw.sources.items():
        if source.next_expected is None:
            continue
        newest = max((file.published for file in source.file if file.published), default="")
        due = last_day(source.next_expected)
        rows.append(
            {
                "publication": folder,
                "newest": newest,
                "next_expected": source.next_expected,
                "overdue": due < today.isoformat(),
            }
        )
    return Checked(reconcile(panel), pd.DataFrame(rows))
