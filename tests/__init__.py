"""The tests mirror the package; `support` holds what they stand on.

Airflow makes its home when it is imported: here it is inside the checkout, one for each version, not in the home of
whoever runs them.
"""

import os
from importlib.metadata import version
from pathlib import Path

_CACHE = Path(__file__).parents[1] / ".cache"
os.environ.setdefault("AIRFLOW_HOME", str(_CACHE / f"airflow-home-{version('apache-airflow')}"))
