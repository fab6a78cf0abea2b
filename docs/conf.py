"""How Sphinx builds these pages: `make docs`, see index.md for what they are.

    docs/*.md, docs/examples/*.ipynb --myst-nb--> pages, notebooks with the outputs that they hold
    api.md --autosummary--> one page for each public name, from the package as it is imported

Methods that lower rows attach to classes exist only in the imported package, so the API is read
from there and not from the sources.
"""

import os
import types
from typing import Any

import quimb_deepnets

project = "quimb_deepnets"
author = "The quimb_deepnets developers"
version = release = quimb_deepnets.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_nb",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
default_role = "literal"  # docstrings write `name`, as readers of source expect

# ---- pages: MyST, and notebooks that are never executed by a build
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# ---- the API
autosummary_imported_members = False
autodoc_typehints = "none"  # the numpydoc sections say the types
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_param = False  # types are prose, such as "sequence of sites", not names
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
add_module_names = False

# ---- links to other projects, on request: a build reads nothing from the network by itself
if os.environ.get("INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "quimb": ("https://quimb.readthedocs.io/en/latest", None),
        "cotengra": ("https://cotengra.readthedocs.io/en/latest", None),
    }

# ---- how it looks
html_theme = "furo"
html_title = "quimb_deepnets"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
pygments_dark_style = "monokai"
copybutton_exclude = ".linenos, .gp, .go"


BUILTIN = types.BuiltinMethodType, types.MethodDescriptorType, types.GetSetDescriptorType


def skip(app: Any, what: str, name: str, member: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what classes have from quimb and from Python: their own pages have it."""
    member = getattr(member, "fget", member)
    module = getattr(member, "__module__", None) or "quimb_deepnets"
    if isinstance(member, BUILTIN) or module.split(".")[0] != "quimb_deepnets":
        return True
    return None


def setup(app: Any) -> None:
    """Connect the hook above."""
    app.connect("autodoc-skip-member", skip)
