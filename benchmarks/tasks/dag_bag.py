"""``python -m benchmarks.tasks.dag_bag FOLDER`` parses all DAG files of the folder and says what that took."""

from __future__ import annotations

import json
import sys
import time


def main(folder: str) -> None:
    """Parse, all in this process, and print what that took past importing Airflow, and how many DAGs there are."""
    from airflow.dag_processing.dagbag import DagBag

    began, cpu_began = time.perf_counter(), time.process_time()
    bag = DagBag(dag_folder=folder)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "dags": len(bag.dags)}))


if __name__ == "__main__":
    main(sys.argv[1])
