"""From respondents or published shares to rates with their errors, gains and doses."""
