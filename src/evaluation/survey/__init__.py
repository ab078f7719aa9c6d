"""From respondents to rates: design-based errors, calibration, small areas, test scores."""
