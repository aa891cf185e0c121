"""The daily jobs on Prefect, and nothing else: the only package that imports it. `python -m flows daily` runs one here and now.

Prefect reads its environment when it is first imported, so ours is set before that; what the user has set goes first.
"""

import logging
import os

from forecasting.folders import private_folder
from forecasting.settings import load_settings

settings = load_settings()
if "PREFECT_HOME" not in os.environ:
    private_folder(settings.home, "prefect")
for variable, value in settings.prefect_environment.items():
    os.environ.setdefault(variable, value)
logging.getLogger("forecasting").setLevel(logging.INFO)  # what Prefect keeps of our log in a run
