"""Imports every module of the installed package, and prints those that lack one: run by an environment's own Python.

Each line has a module and what it lacks; the last one says how many were imported.
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
    except ModuleNotFoundError as error:
        print(module.name, error.name)
print(imported)
