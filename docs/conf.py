"""How Sphinx builds the documentation: `make docs`; nothing is fetched, then or at reading."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "kepu-evaluation"
author = "The kepu-evaluation authors"
copyright = "2026, the kepu-evaluation authors"
language = "en"
exclude_patterns = ["extensions"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "prose", "mathml", "pages"]

# Pages: Markdown, and notebooks with the outputs they are stored with.
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# The reference: docstrings of the package; types stand in the signatures.
autodoc_member_order = "bysource"
toc_object_entries = False  # a page's contents list its modules
# ``set`` is made by matplotlib for its classes and documented there.
autodoc_default_options = {"members": True, "ignore-module-all": True, "exclude-members": "set"}

# A role that names no module, function or test is an error; types of other packages are not ours.
nitpicky = True
nitpick_ignore_regex = [
    ("py:(class|exc|meth|obj)", r"(?!evaluation\.).*"),
    ("py:class", r"evaluation\.batch\.(cli(_design|_monitoring)?|options)\.Annotated.*"),
    ("py:data", ".*"),  # constants have no entry of their own
]

html_theme = "furo"
html_title = "kepu-evaluation · 科普成效评价"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
