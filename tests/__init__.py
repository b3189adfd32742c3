"""The tests mirror the package; `support` holds what they stand on.

Airflow makes its home when it is imported: here it is inside the checkout, not in the home of whoever runs them.
"""

import os
from pathlib import Path

os.environ.setdefault("AIRFLOW_HOME", str(Path(__file__).parents[1] / ".cache" / "airflow-home"))
