"""The equations of a linear model as arrays, and many weighted fits of them at once.

The checks refit one model hundreds of times on subsets, on drawn outcomes or on other columns;
here that is one batch of normal equations. Columns are scaled to unit length first, so that the
normal equations lose no digits that matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.least_squares import excess_variance, least_squares, small_sample

# Columns whose values are the fixed effects of each linear model, by their part in the spec.
EFFECTS = {"gain_regression": ("wave",), "two_way_fixed_effects": ("region", "wave")}
KEYS = ("model", "outcome", "doses", "covariates", "region", "wave", "variance", "seed", "draws")
# Eigenvalues of the scaled normal equations below this share of the largest are taken as zero.
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class System:
    """y = X b + e with effects first, then covariates, the doses last.

    Attributes
    ----------
    y : (N,). X : (N, k). names : k column names. effects, doses : numbers of such columns.
    variance : (N,) known sampling variances, or None. regions, waves : (N,) labels.
    rows : (N,) positions in the panel the system was made from.
    """

    y: np.ndarray
    X: np.ndarray
    names: tuple[str, ...]
    effects: int
    doses: int
    variance: np.ndarray | None
    regions: np.ndarray
    waves: np.ndarray
    rows: np.ndarray

    @property
    def first(self) -> int:
        """Position of the first dose, the term reported."""
        return len(self.names) - self.doses

    @property
    def codes(self) -> np.ndarray:
        """Regions as 0 ... G-1."""
        return np.unique(self.regions, return_inverse=True)[1]

    @property
    def nested(self) -> int:
        """Region effects that take no degree of freedom in CRV1, as in the models."""
        count = sum(name.startswith("region=") for name in self.names)
        return max(0, count - 1)


@dataclass(frozen=True, eq=False)
class Fits:
    """M fits at once.

    coefficients : (M, k), missing where a coefficient is not identified.
    residuals : (M, N). inverse : of X'WX, (M, k, k), and rank, (M,); one where all fits share it.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    inverse: np.ndarray
    rank: np.ndarray


def checked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as a dict; refuses one that lacks a part."""
    lacking = [key for key in KEYS if key not in spec]
    if lacking:
        raise ModelError(f"The specification lacks {', '.join(lacking)}; it needs {KEYS}.")
    return dict(spec)


def _effects(frame: pd.DataFrame, spec: Mapping[str, Any]) -> list[pd.DataFrame]:
    parts = []
    for part in EFFECTS[spec["model"]]:
        labels = frame[spec[part]].astype(str).rename(part)
        columns = pd.get_dummies(labels, prefix=part, prefix_sep="=", dtype=float)
        parts.append(columns.iloc[:, 1:] if parts else columns)
    return parts


def system(panel: pd.DataFrame, spec: Mapping[str, Any]) -> System:
    """The equations of a linear model on the complete rows of a panel.

    Raises ``ModelError`` for a model that is not linear, an absent column, or no complete row.
    """
    spec = checked(spec)
    if spec["model"] not in EFFECTS:
        raise ModelError(f"'{spec['model']}' is not linear; use one of {', '.join(EFFECTS)}.")
    known = [] if spec["variance"] is None else [spec["variance"]]
    numeric = [spec["outcome"], *spec["covariates"], *spec["doses"], *known]
    used = [*numeric, spec["region"], spec["wave"]]
    if absent := [name for name in used if name not in panel.columns]:
        raise ModelError(f"Columns not in the panel: {', '.join(absent)}.")
    keep = panel[used].notna().all(axis=1).to_numpy(copy=True)
    if "region" in EFFECTS[spec["model"]]:  # a region seen once carries nothing
        seen = panel.loc[keep, spec["region"]].value_counts()
        keep &= panel[spec["region"]].map(seen).fillna(0).gt(1).to_numpy()
    frame = panel.loc[keep].reset_index(drop=True)
    if frame.empty:
        raise ModelError("No row of the panel is complete in the columns of the model.")
    left = pd.concat(_effects(frame, spec), axis=1)
    X = pd.concat([left, frame[[*spec["covariates"], *spec["doses"]]].astype(float)], axis=1)
    return System(
        y=frame[spec["outcome"]].to_numpy(dtype=float),
        X=X.to_numpy(),
        names=tuple(map(str, X.columns)),
        effects=left.shape[1],
        doses=len(spec["doses"]),
        variance=None if not known else frame[known[0]].to_numpy(dtype=float),
        regions=frame[spec["region"]].to_numpy(),
        waves=frame[spec["wave"]].to_numpy(),
        rows=np.flatnonzero(keep),
    )


def fgls_weights(system: System) -> np.ndarray:
    """Weights 1/(v + σ²) as the models take them; ones where no variance is known."""
    if system.variance is None:
        least_squares(system.y, system.X)  # refuses a rank-deficient design by name
        return np.ones(len(system.y))
    total = system.variance + max(0.0, excess_variance(system.y, system.X, system.variance))
    if (total <= 0).any():
        raise ModelError("Some variances are 0: those rows would get infinite weight.")
    return 1 / total


def solve_many(y: np.ndarray, X: np.ndarray, weights: np.ndarray) -> Fits:
    """Weighted least squares for M outcomes, designs or weights at once.

    Parameters
    ----------
    y : (N,) or (M, N). X : (N, k) or (M, N, k). weights : (M, N), 0 for rows left out, or
        (1, N) where all fits share them: with one X that is one matrix product for all.
    """
    scale = np.sqrt((X**2).mean(axis=-2, keepdims=True))
    scale = np.where(scale > 0, scale, 1.0)
    Z, y = X / scale, np.atleast_2d(y)
    count = Z.shape[-1]
    if Z.ndim == 2:
        pairs = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
        gram = (weights @ pairs).reshape(-1, count, count)
        right = (weights * y) @ Z
    else:
        turned = Z.swapaxes(1, 2) * weights[:, None, :]
        gram, right = turned @ Z, (turned @ y[:, :, None])[:, :, 0]
    inverse = np.linalg.pinv(gram, rcond=TOLERANCE, hermitian=True)
    b = (inverse @ right[:, :, None])[:, :, 0]
    fitted = b @ Z.T if Z.ndim == 2 else (Z @ b[:, :, None])[:, :, 0]
    own = np.einsum("mkl,mlk->mk", inverse, gram)
    b = np.where(np.abs(own - 1) < 1e-6, b, np.nan)
    flat = scale.reshape(-1, count)  # (1, k) or (M, k)
    return Fits(
        coefficients=b / flat,
        residuals=y - fitted,
        inverse=inverse / (flat[:, :, None] * flat[:, None, :]),
        rank=own.sum(axis=1),
    )


def fgls_many(system: System, masks: np.ndarray) -> np.ndarray:
    """Coefficients (M, k) of the known-variance FGLS on M subsets of rows, masks (M, N).

    A coefficient the subset does not identify is missing.
    """
    masks = masks.astype(float)
    if system.variance is None:
        return solve_many(system.y, system.X, masks).coefficients
    first, v = solve_many(system.y, system.X, masks), system.variance
    leverage = ((system.X @ first.inverse) * system.X).sum(axis=2)
    excess = masks * (first.residuals**2 - v + leverage * v)
    free = np.maximum(masks.sum(axis=1) - first.rank, 1e-9)
    sigma2 = np.maximum(0.0, excess.sum(axis=1) / free)
    return solve_many(system.y, system.X, masks / (v + sigma2[:, None])).coefficients


def crv1_many(system: System, X: np.ndarray, weights: np.ndarray, fits: Fits) -> np.ndarray:
    """CRV1 standard errors (M, doses) of the doses."""
    codes = system.codes
    clusters = int(codes.max()) + 1
    rows = fits.inverse[:, system.first :, :]
    pull = rows @ (X.T if X.ndim == 2 else X.swapaxes(1, 2))
    scores = (pull * (weights * fits.residuals)[:, None, :]) @ np.eye(clusters)[codes]
    factor = small_sample(clusters, len(system.y), len(system.names) - system.nested)
    return np.sqrt(factor * (scores**2).sum(axis=2))
