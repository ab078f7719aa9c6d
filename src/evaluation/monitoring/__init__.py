"""The officer's year: a capability index, progress of the plan, self-assessment of programmes."""
