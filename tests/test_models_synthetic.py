"""One treated region against published and second answers, simulated truth, and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import fit
from evaluation.models.synthetic import is_unique, simplex_weights

REFERENCE = Path(__file__).parent / "reference"
ANSWERS = pd.read_csv(REFERENCE / "events.csv").set_index(["case", "term"]).loc["synthdid-py"]
ROLES = {"outcome": "rate", "doses": ["on"], "region": "region", "wave": "wave"}
PACKS = {"outcome": "packs", "doses": ["on"], "region": "State", "wave": "year"}


@pytest.fixture(scope="module")
def smoking():
    long = pd.read_csv(REFERENCE / "smoking.csv").melt("State", var_name="year", value_name="packs")
    long["year"] = long["year"].astype(int)
    return long.assign(on=(long["State"].eq("California") & (long["year"] >= 1989)).astype(int))


def generated(seed=0, donors=25, before=5, after=2, effect=2.0):
    """Levels with a common factor of regional strength; region r00 is treated."""
    rng = np.random.default_rng(seed)
    regions, waves = donors + 1, before + after
    factor = np.cumsum(rng.normal(size=waves))
    y = 2 * rng.normal(size=(regions, 1)) + np.outer(rng.normal(1, 0.5, regions), factor)
    y = 20 + y + np.arange(waves) + 0.8 * rng.normal(size=(regions, waves))
    on = (np.arange(regions) == 0)[:, None] & (np.arange(waves) >= before)
    return pd.DataFrame(
        {
            "region": np.repeat([f"r{i:02d}" for i in range(regions)], waves),
            "wave": np.tile(2000 + np.arange(waves), regions),
            "rate": (y + effect * on).ravel(),
            "on": on.ravel().astype(int),
            "v": 0.09,
        }
    )


@pytest.mark.parametrize(
    ("method", "name", "published", "printed_se", "tolerance"),
    [
        ("did", "did", -27.3, 17.7, 1e-4),
        ("synthetic_did", "synthdid", -15.6, 8.4, 5e-3),
        # The package's iterations stop 0.11 short of the best weights, which are found here.
        ("synthetic_control", "sc", -19.6, 9.9, 0.12),
    ],
)
def test_california_meets_the_published_and_the_package_s_estimates(
    smoking, method, name, published, printed_se, tolerance
):
    # Arkhangelsky et al. (2021), table 1; their standard errors are those of random placebo draws,
    # here every placebo state enters once.
    result = fit("synthetic_did", smoking, **PACKS, method=method)
    assert result.estimate == pytest.approx(published, abs=0.1)
    assert result.estimate == pytest.approx(ANSWERS.loc[name, "estimate"], abs=tolerance)
    assert result.se == pytest.approx(ANSWERS.loc[name, "se"], rel=2e-3)
    assert result.se == pytest.approx(printed_se, rel=0.13)
    assert (result.clusters, result.observations) == (39, 39 * 31)


def test_california_s_synthetic_control_is_made_of_the_published_states(smoking):
    result = fit("synthetic_control", smoking, **PACKS)
    weights = pd.Series(result.details["donor_weights"]).nlargest(5)
    # Abadie, Diamond & Hainmueller (2010), table 2, with further predictors: Utah .334, Nevada
    # .234, Montana .199, Colorado .164, Connecticut .069.
    assert {"Utah", "Nevada", "Montana", "Connecticut"} <= set(weights.index)
    assert weights.index[0] == "Utah"
    assert result.details["rmspe_before"] < 2


def test_weights_minimise_what_a_general_optimiser_minimises():
    rng = np.random.default_rng(3)
    A, b = rng.normal(size=(8, 5)), rng.normal(size=8)
    found = simplex_weights(A, b, 0.3)

    def loss(w):
        return ((A @ w - b) ** 2).sum() + 0.3 * (w**2).sum()

    other = minimize(
        loss,
        np.full(5, 0.2),
        bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    assert loss(found) <= other.fun + 1e-10
    np.testing.assert_allclose(found, other.x, atol=1e-5)


@pytest.mark.parametrize("method", ["synthetic_control", "synthetic_did"])
def test_bias_and_coverage_on_small_panels(method):
    errors, inside = [], 0
    for seed in range(120):
        frame = generated(seed)
        if method == "synthetic_control" and at_the_edge(frame):
            continue
        result = fit("synthetic_did", frame, **ROLES, method=method)
        errors.append(result.estimate - 2)
        inside += result.low <= 2 <= result.high
    n = len(errors)
    assert n > 100
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(n)
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / n) <= inside / n


def before_levels(frame):
    return frame[frame["wave"] < 2005].groupby("region")["rate"].mean()


def at_the_edge(frame, region="r00"):
    """Whether no donor lies above the region, or none below."""
    levels = before_levels(frame)
    return levels[region] in (levels.max(), levels.min())


def treat(frame, region):
    """The same panel with another region treated, to no effect."""
    return frame.assign(on=(frame["region"].eq(region) & (frame["wave"] >= 2005)).astype(int))


@pytest.mark.parametrize("who", ["highest", "lowest", "random"])
def test_without_an_effect_a_tenth_is_rejected_at_the_level_of_a_tenth(who):
    """Ranked first or last or drawn at random; with 25 donors exactly 2 in 26 are expected."""
    found = {"synthetic_did": [], "synthetic_control": []}
    for seed in range(70):
        frame = generated(seed, effect=0.0)
        levels = before_levels(frame)
        drawn = levels.index[np.random.default_rng(1000 + seed).integers(len(levels))]
        region = {"highest": levels.idxmax(), "lowest": levels.idxmin(), "random": drawn}[who]
        panel = treat(frame, region)
        if at_the_edge(frame, region):
            with pytest.raises(ModelError, match=f"{region} lies outside what donors span"):
                fit("synthetic_control", panel, **ROLES, level=0.9)
        else:
            found["synthetic_control"].append(fit("synthetic_control", panel, **ROLES, level=0.9).p)
        found["synthetic_did"].append(fit("synthetic_did", panel, **ROLES, level=0.9).p)
    assert bool(found["synthetic_control"]) == (who == "random")
    for ps in filter(None, found.values()):
        rejected, error = np.mean(np.array(ps) <= 0.1), np.sqrt(0.1 * 0.9 / len(ps))
        assert 2 / 26 - 2 * error <= rejected <= 0.1 + 2 * error


def test_weights_that_are_not_unique_are_said():
    """Three donors on a line make the point in the middle in many ways, two in one."""
    line, middle = np.array([[0.0, 1.0, 2.0]]), np.array([0.0, 1.0, 0.0])
    assert not is_unique(line, middle)
    assert is_unique(line[:, :2], np.array([0.5, 0.5]))
    assert is_unique(line, np.array([1.0, 0.0, 0.0]))
    many = fit("synthetic_control", generated(seed=4, before=3), **ROLES).details
    assert many["rmspe_before"] < 1e-3 and not many["weights_unique"]
    assert fit("synthetic_control", generated(seed=4, before=12), **ROLES).details["weights_unique"]


def test_the_other_method_stands_beside_and_says_the_same_as_alone():
    frame = generated(seed=4)
    assert not at_the_edge(frame)
    control, moves = (fit(name, frame, **ROLES) for name in ("synthetic_control", "synthetic_did"))
    for one, other in ((control, moves), (moves, control)):
        beside = one.details["beside"]
        assert beside["method"] == other.model
        assert beside["estimate"] == other.estimate and beside["p"] == other.p
    levels = before_levels(frame)
    leader = fit("synthetic_did", treat(frame, levels.idxmax()), **ROLES)
    assert leader.details["beside"] == {"method": "synthetic_control", "refused": True}


def test_p_counts_the_placebos_and_agrees_with_the_interval():
    for seed in range(30):
        result = fit("synthetic_did", generated(seed), **ROLES)
        placebos = np.abs([row["studentised"] for row in result.details["placebos"]])
        own = abs(result.estimate) / result.details["rmspe_left_out"]
        assert result.p == (1 + (placebos >= own).sum()) / 26
        assert (result.p <= 0.05) == (not result.low <= 0 <= result.high)
        assert result.p >= result.details["smallest_p"] == 1 / 26


def test_a_gap_that_is_always_there_is_no_association():
    frame = generated(seed=1, effect=0.0)
    lifted = frame.assign(rate=frame["rate"] + 50 * frame["region"].eq("r00"))
    one, two = (fit("synthetic_did", f, **ROLES).estimate for f in (frame, lifted))
    assert one == pytest.approx(two)


def test_details_say_how_well_the_region_was_matched():
    details = fit(
        "synthetic_control", generated(before=8, donors=23), **ROLES, variance="v"
    ).details
    gaps = pd.DataFrame(details["gaps"])
    size = np.sqrt((gaps["gap"] ** 2).groupby(gaps["after"]).mean())
    assert details["rmspe_before"] == pytest.approx(size[False])
    assert details["rmspe_ratio"] == pytest.approx(size[True] / size[False])
    weights = np.array(list(details["donor_weights"].values()))
    assert weights.sum() == pytest.approx(1)
    expected = np.sqrt(0.09 / 2 * (1 + (weights**2).sum()))
    assert details["sampling_se"] == pytest.approx(expected)


def test_fits_to_waves_left_out_are_the_more_careful_test(smoking):
    studentised = fit("synthetic_did", smoking, **PACKS)
    ratio = fit("synthetic_did", smoking, **PACKS, statistic="ratio")
    assert (studentised.p, ratio.p) == (pytest.approx(3 / 39), pytest.approx(1 / 39))
    assert ratio.high < 0 < studentised.high


def test_the_error_of_waves_left_out_is_that_of_fits_without_them():
    frame = generated(seed=3)
    details = fit("synthetic_did", frame, **ROLES).details
    gaps = []
    for wave in range(5):
        order = [t for t in range(5) if t != wave] + [wave]
        part = frame[frame["wave"].isin([2000 + t for t in order])]
        moved = part.assign(wave=part["wave"].map({2000 + t: i for i, t in enumerate(order)}))
        moved = moved.assign(on=(moved["region"].eq("r00") & moved["wave"].eq(4)).astype(int))
        gaps.append(fit("synthetic_did", moved, **ROLES).estimate)
    assert details["rmspe_left_out"] == pytest.approx(np.sqrt(np.mean(np.square(gaps))))


def test_a_ratio_to_a_perfect_fit_is_refused():
    with pytest.raises(ModelError, match="fitted perfectly before treatment"):
        fit("synthetic_control", generated(before=3, donors=30), **ROLES, statistic="ratio")


def test_donors_with_gaps_are_left_out_and_the_treated_region_s_gaps_shorten_the_panel():
    frame = generated(seed=2)
    holes = frame["region"].eq("r07") & frame["wave"].eq(2003)
    holes |= frame["region"].eq("r00") & frame["wave"].eq(2001)
    result = fit("synthetic_did", frame[~holes], **ROLES)
    kept = frame[frame["region"].ne("r07") & frame["wave"].ne(2001)]
    assert result.estimate == pytest.approx(fit("synthetic_did", kept, **ROLES).estimate)
    assert (result.details["donors"], result.details["donors_left_out"]) == (24, 1)
    assert (result.details["before"], result.observations) == (4, 25 * 6)


def test_same_panel_same_result_and_the_panel_is_left_alone():
    frame = generated()
    before = frame.copy(deep=True)
    one, two = (fit("synthetic_did", frame, **ROLES) for _ in range(2))
    assert one == two == Result.from_json(one.to_json())
    assert (one.model, fit("synthetic_control", frame, **ROLES).model) == (
        "synthetic_did",
        "synthetic_control",
    )
    pd.testing.assert_frame_equal(frame, before)


def treated(frame, regions):
    return frame.assign(on=(frame["region"].isin(regions) & (frame["wave"] >= 2005)).astype(int))


REFUSED = {
    "nobody": (lambda: treated(generated(), []), "treats no region after the first"),
    "two": (lambda: treated(generated(), ["r00", "r01"]), r"2 regions are treated \(r00, r01\)"),
    "everybody": (
        lambda: treated(generated(), generated()["region"]),
        "every region in the same wave",
    ),
    "short": (lambda: generated(before=2), r"2 wave\(s\) before treatment"),
    "one wave": (lambda: generated().query("wave == 2005"), "has 1 wave"),
    "few donors": (lambda: generated(donors=4), "4 donor regions; at least 5"),
    "untestable": (
        lambda: generated(donors=18),
        r"18 donor regions let no p-value go below 0\.0526; a level of 0\.95 needs 0\.05",
    ),
    "ragged": (
        lambda: generated(donors=19)[lambda f: ~(f["region"].eq("r09") & f["wave"].eq(2002))],
        r"18 donor regions \(1 regions with gaps were left out\)",
    ),
    "absent": (lambda: generated().drop(columns="on"), "not in the panel: on"),
    "infinite": (
        lambda: generated().replace({"rate": {generated()["rate"][0]: np.inf}}),
        "infinite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_panel_without_the_design_is_refused_with_its_reason(case):
    make, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        fit("synthetic_did", make(), **ROLES)


def test_a_lower_level_makes_fewer_donors_enough():
    result = fit("synthetic_did", generated(donors=18), **ROLES, level=0.9)
    assert result.details["smallest_p"] == pytest.approx(1 / 19)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "matching"}, "Unknown option 'matching'"),
        ({"statistic": "gap"}, "Unknown option 'gap'"),
        ({"level": 1.5}, "strictly between 0 and 1"),
        ({"covariates": ["v"]}, "takes no covariates"),
        ({"doses": ["on", "v"]}, "takes one treatment column"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        fit("synthetic_did", generated(), **{**ROLES, **arguments})


@pytest.mark.parametrize("name", ["staggered", "synthetic_control", "synthetic_did"])
def test_a_region_never_treated_is_written_as_zero_and_not_left_out(name):
    frame = generated()
    missing = frame.assign(on=frame["on"].astype(float).where(frame["region"] != "r05"))
    with pytest.raises(ModelError, match="first r05; write 0 for regions never treated"):
        fit(name, missing, **ROLES)
