"""Answers of ``samplics`` 0.6 to the data of ``make_survey.R``; see README.md beside this file."""

from pathlib import Path

import numpy as np
import pandas as pd
from samplics import PopParam
from samplics.estimation import TaylorEstimator

HERE = Path(__file__).parent


def answers():
    api = pd.read_csv(HERE / "api.csv")
    for sample, design in {"strat": {"stratum": "stype"}, "clus1": {"psu": "dnum"},
                           "clus2": {"psu": "dnum"}}.items():  # fmt: skip
        rows = api[(api["sample"] == sample) & api["enroll"].notna()]
        given = {role: rows[name] for role, name in design.items()} | {"samp_weight": rows["pw"]}
        for name, parameter, more in (
            ("mean api00", PopParam.mean, {"y": rows["api00"]}),
            ("total enroll", PopParam.total, {"y": rows["enroll"]}),
            ("ratio api.stu/enroll", PopParam.ratio, {"y": rows["api.stu"], "x": rows["enroll"]}),
            ("mean api00 by", PopParam.mean, {"y": rows["api00"], "domain": rows["stype"]}),
        ):
            yield sample, name, estimated(parameter, **given, **more)
    nhanes = pd.read_csv(HERE / "nhanes.csv.gz").dropna(subset=["HI_CHOL"]).reset_index(drop=True)
    unit = nhanes["SDMVSTRA"] * 10 + nhanes["SDMVPSU"]
    yield "nhanes", "share HI_CHOL by", estimated(
        PopParam.mean, y=nhanes["HI_CHOL"], samp_weight=nhanes["WTMEC2YR"],
        stratum=nhanes["SDMVSTRA"], psu=unit, domain=nhanes["race"],
    )  # fmt: skip


def estimated(parameter, **given):
    made = TaylorEstimator(parameter)
    made.estimate(**{name: column.to_numpy() for name, column in given.items()})
    point, error = made.point_est, made.stderror
    point, error = (x if isinstance(x, dict) else {"": x} for x in (point, error))
    return [(key, float(np.squeeze(point[key])), float(np.squeeze(error[key]))) for key in point]


if __name__ == "__main__":
    rows = [(sample, name, *row) for sample, name, found in answers() for row in found]
    frame = pd.DataFrame(rows, columns=["design", "statistic", "domain", "estimate", "se"])
    frame.to_csv(HERE / "survey_samplics.csv", index=False, float_format="%.15g")
