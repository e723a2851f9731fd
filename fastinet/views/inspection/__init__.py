"""An inspection in the terminal and as a page."""
