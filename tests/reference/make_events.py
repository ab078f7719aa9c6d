"""Write the reference data of events and other packages' answers on them.

Needs ``diff-diff``, ``synthdid-py`` and ``moderndid`` (versions in README.md). The data are read
from the files inside the installed wheels; the loaders of ``diff-diff`` are not used, as they
substitute generated data when offline.
"""

from importlib.resources import files
from pathlib import Path

import diff_diff
import numpy as np
import pandas as pd
import synthdid

HERE = Path(__file__).parent


def minimum_wage() -> pd.DataFrame:
    """Teen employment (log) in 500 counties, 2003 to 2007, one row a county."""
    path = files("moderndid") / "core" / "datasets" / "mpdta_long.pkl.gz"
    long = pd.read_pickle(path)
    wide = long.pivot(index=["countyreal", "first.treat"], columns="year", values="lemp")
    wide.index.names = ["county", "first_treated"]
    return wide.reset_index()


def smoking() -> pd.DataFrame:
    """Packs of cigarettes a head in 39 states, 1970 to 2000, one row a state."""
    path = files("synthdid") / "data" / "california_prop99.csv"
    long = pd.read_csv(path, sep=";")
    return long.pivot(index="State", columns="Year", values="PacksPerCapita").round(1).reset_index()


def group_time(wide: pd.DataFrame) -> list[tuple]:
    """Answers of diff-diff without covariates, with analytic standard errors."""
    long = wide.melt(["county", "first_treated"], var_name="year", value_name="lemp")
    long["year"] = long["year"].astype(int)
    columns = {"outcome": "lemp", "unit": "county", "time": "year", "first_treat": "first_treated"}
    rows = []
    for name, group in (("never", "never_treated"), ("not_yet", "not_yet_treated")):
        model = diff_diff.CallawaySantAnna(control_group=group, base_period="varying")
        fit = model.fit(long, **columns, aggregate="all")
        case = f"diff-diff {name}"
        rows.append((case, "simple", fit.overall_att, fit.overall_se))
        for kind, effects in (
            ("event", fit.event_study_effects),
            ("group", fit.group_effects),
            ("cell", fit.group_time_effects),
        ):
            for key, effect in effects.items():
                label = " ".join(str(int(part)) for part in np.atleast_1d(key))
                rows.append((case, f"{kind} {label}", effect["effect"], effect["se"]))
    return rows


def one_state(wide: pd.DataFrame) -> list[tuple]:
    """Answers of synthdid-py on California, and the deviation of all placebo states."""
    table = wide.set_index("State")
    control = table.drop("California").to_numpy()
    treated = table.loc["California"].to_numpy()
    rows = []
    for name in ("synthdid", "sc", "did"):
        fit = getattr(synthdid, f"{name}_estimate")
        own = float(fit(np.vstack([control, treated]), 38, 19))
        placebo = [
            float(fit(np.vstack([np.delete(control, j, axis=0), control[j]]), 37, 19))
            for j in range(38)
        ]
        rows.append(("synthdid-py", name, own, float(np.std(placebo))))
    return rows


if __name__ == "__main__":
    wage, packs = minimum_wage(), smoking()
    wage.to_csv(HERE / "minimum_wage.csv", index=False, float_format="%.9f")
    packs.to_csv(HERE / "smoking.csv", index=False)
    answers = pd.DataFrame(
        group_time(wage) + one_state(packs), columns=["case", "term", "estimate", "se"]
    )
    answers.to_csv(HERE / "events.csv", index=False, float_format="%.10g")
