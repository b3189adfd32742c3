"""Imports every module of the installed package, and prints those that lack one: run by an environment's own Python.

Its lines begin with "lacking", a module and the one that it lacks, or lacks a name of, or "imported", how many were;
others are not its own.
"""

import importlib
import pkgutil

import airflow_provider_oss

imported = 0
for module in pkgutil.walk_packages(airflow_provider_oss.__path__, "airflow_provider_oss."):
    if module.name.endswith(".__main__"):
        continue
    try:
        importlib.import_module(module.name)
        imported += 1
    except ImportError as error:
        print("lacking", module.name, error.name)
print("imported", imported)
