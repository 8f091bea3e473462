"""Builds docs/ into site/ with Sphinx: a broken link, a lost anchor or a page outside every toctree is an error."""

from grader import __version__

project = "convgrader"
author = "the convgrader authors"
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["static"]

myst_heading_anchors = 3  # a link to page.md#heading works here as it does on GitHub
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "convgrader"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_search_summary = False  # it would fetch each page found, which browsers refuse for file: URLs
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-code-background": "#f6f7f8"},
    "dark_css_variables": {"color-code-background": "#1c1f22"},
}
smartquotes = False  # commands can be copied from a page
# Colors of code in light and dark, with contrast by WCAG.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
