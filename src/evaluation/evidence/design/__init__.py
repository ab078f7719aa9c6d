"""The next evaluation: designs that could tell, compared, drawn by lot and written down."""
