"""Indicators of money and of the people it is spent for."""

PEOPLE = "population_resident"
INDEX = "consumer_price_index"
# Indicator -> (item, lever the money is spent on; empty where the source does not say).
# An item of the regional statistics is the same item of the national ones.
ITEMS = {
    "funds_raised": ("raised", ""),
    "kepu_fund_raised": ("raised", ""),
    "funds_government": ("government", ""),
    "kepu_fund_government": ("government", ""),
    "funds_special_government": ("earmarked", ""),
    "kepu_fund_earmarked": ("earmarked", ""),
    "funds_used": ("used", ""),
    "special_fund_provincial_level": ("earmarked_provincial", ""),
    "spend_venue_construction": ("venues", "facility"),
    "spend_exhibits_facilities": ("exhibits", "facility"),
    "free_entry_museum_central_subsidy": ("free_opening", "facility"),
    "central_fund_free_museum_opening": ("free_opening_obtained", "facility"),
    "kepu_plus_pilot_fund": ("pilots", "facility"),
    "spend_activities": ("activities", "activity"),
}
