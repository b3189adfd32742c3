"""Sphinx's configuration of the documentation: see `make docs`. Nothing is fetched from the network."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from airflow_provider_oss import __version__  # noqa: E402 - of this checkout
from docs.extension.documented import documented  # noqa: E402

project = "airflow-provider-oss"
author = "The airflow-provider-oss authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.extension"]
exclude_patterns = ["extension"]
templates_path: list[str] = []

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
myst_number_code_blocks: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 100
oss_documented = documented(ROOT / "docs" / "reference")
oss_repository = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"][
    "custom"
]["repository"]

# What pages lead to must be there; types in signatures may be internal
nitpick_ignore_regex = [("py:(class|data|exc)", ".*")]
show_warning_types = True

html_theme = "furo"
html_title = f"airflow-provider-oss {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
