"""Copy the milk expenditure data of ``samplics`` into ``milk.csv``; see README.md beside this file.

The package is only opened as a directory, not imported, so any version of its dependencies does.
"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent

if __name__ == "__main__":
    package = Path(find_spec("samplics").origin).parent
    frame = pd.read_csv(package / "datasets" / "data" / "expenditure_on_milk.csv")
    frame = frame[["major_area", "small_area", "samp_size", "direct_est", "std_error"]]
    frame.to_csv(HERE / "milk.csv", index=False)
