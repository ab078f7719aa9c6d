"""Published rates on the logit scale with their sampling variances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from evaluation.errors import KepuError

COLUMNS = ("region_code", "wave", "rate", "variance")


def logit_rates(rates: pd.DataFrame, waves: pd.DataFrame, common: frozenset[str]) -> pd.DataFrame:
    """Empirical logits of rates whose sampling error is known.

    With m = p(1 - p)/v the effective sample, the logit is log((mp + ½)/(m(1 - p) + ½)) and its
    variance 1/(mp + ½) + 1/(m(1 - p) + ½): finite and nearly unbiased where a sample held only
    one or two literate respondents. A wave whose frame was the nation as one unit is left out: its
    sample was not drawn to speak of the regions that the trend is pooled over.

    Parameters
    ----------
    rates : ``region_code, wave, rate`` (percent) and ``variance`` (squared percentage points).
    waves : ``wave, frame``. common : codes of the whole of which the regions are parts (the
        nation): they follow the common path without a deviation of their own.

    Returns
    -------
    DataFrame ``region_code, wave, rate, y, v, own``; ``own`` is False for codes in ``common``.

    Raises
    ------
    KepuError : a column is missing, or a rate is outside 0 to 100.

    Source
    ------
    Gart & Zweifel (1967), Biometrika 54:181-187.
    """
    lacking = [name for name in COLUMNS if name not in rates]
    if lacking:
        raise KepuError(f"The rates lack {', '.join(lacking)}; panel.rates gives all columns.")
    whole = set(waves.loc[waves["frame"] == "nation", "wave"])
    kept = rates[(rates["variance"] > 0) & ~rates["wave"].isin(whole)]
    p = kept["rate"].to_numpy(dtype=float) / 100
    if not ((p > 0) & (p < 1)).all():
        raise KepuError("Rates on the logit scale must lie strictly between 0 and 100.")
    m = p * (1 - p) / (kept["variance"].to_numpy(dtype=float) / 1e4)
    with_, without = m * p + 0.5, m * (1 - p) + 0.5
    frame = kept[["region_code", "wave", "rate"]].assign(
        y=np.log(with_ / without),
        v=1 / with_ + 1 / without,
        own=~kept["region_code"].isin(common),
    )
    return frame.sort_values(["region_code", "wave"], ignore_index=True)


def percent(y: np.ndarray) -> np.ndarray:
    """Logits back to percent."""
    return 100 * expit(y)


def to_logit(rate: np.ndarray | float) -> np.ndarray:
    """Percent to logits."""
    return logit(np.asarray(rate, dtype=float) / 100)
