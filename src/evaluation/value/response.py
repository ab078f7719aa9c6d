"""Response curves: does the gain flatten as a lever grows, and can the data tell?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.columns import GAINS, Inference, Roles, equation
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.value.effects import joint

POINTS = 41


@dataclass(frozen=True, eq=False)
class Response:
    """Gain against the level of one lever, a straight line and a square.

    Attributes
    ----------
    lever : its name. square, low, high : coefficient of the squared term with its interval, per
        squared standard deviation of the lever. p : of the test that it is zero.
    verdict : ``diminishing``, ``increasing`` or ``linear`` (a straight line is not rejected).
    curve : ``level`` (in units of the lever, within what was observed), ``gain``, ``low, high``:
        difference in yearly gain from the median level, percentage points.
    observations : used. reason : why there is no curve, else empty.
    """

    lever: str
    square: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    verdict: str = "none"
    curve: pd.DataFrame | None = None
    observations: int = 0
    reason: str = ""


def response(panel: pd.DataFrame, lever: str, roles: Roles, inference: Inference) -> Response:
    """Fit gain on the lever's level and its square; test the square by the wild bootstrap.

    Level and square are in the lever's own unit, per head, not in logs: a log builds diminishing
    returns in, and a test on it could not find them.

    Parameters
    ----------
    panel : gains with ``dose_<lever>``. roles : of the gain regression, its doses are replaced.
    """
    column = f"dose_{lever}"
    frame = panel.assign(lever_level=panel[column], lever_square=np.nan)
    roles = replace(roles, doses=("lever_level", "lever_square"))
    try:
        return _fitted(frame, lever, roles, inference)
    except ModelError as error:
        return Response(lever, reason=str(error))


def _fitted(frame: pd.DataFrame, lever: str, roles: Roles, inference: Inference) -> Response:
    column, level = f"dose_{lever}", inference.level
    needed = [roles.outcome, roles.variance, *roles.covariates, column]
    used = frame[needed].notna().all(axis=1)
    if not used.any():
        raise ModelError(f"No row of the panel is complete with the lever '{lever}'.")
    values = frame.loc[used, column]
    middle, spread = float(values.median()), float(values.std())
    x = (frame[column] - middle) / spread
    frame = frame.assign(lever_level=x, lever_square=x**2)
    # The square is tested, so it stands last.
    made = equation(GAINS, frame, replace(roles, doses=roles.doses[::-1]))
    test = wild_cluster_bootstrap(
        made.y, made.X, made.clusters, len(made.names) - 1, inference.draws, seed=inference.seed,
        observation_weights=made.weights, level=level,
    )  # fmt: skip
    both = joint(frame, roles, size=999, seed=inference.seed)
    at = (np.linspace(values.min(), values.max(), POINTS) - middle) / spread
    basis = np.column_stack([at, at**2])
    low, high = np.quantile(both.draws @ basis.T, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curve = pd.DataFrame(
        {"level": middle + spread * at, "gain": basis @ both.estimate, "low": low, "high": high}
    )
    verdict = "diminishing" if test.high < 0 else "increasing" if test.low > 0 else "linear"
    return Response(
        lever, test.estimate, test.low, test.high, test.p, verdict, curve, len(made.y)
    )  # fmt: skip
