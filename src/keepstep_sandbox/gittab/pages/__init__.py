"""GitTab's pages: issue lists and issues, rendered on the server, acting as the visitor.

They work without JavaScript. With it, `static/gittab.js` asks for the same page every second and puts the parts
marked `data-live` in place; forms stand outside those parts, so an edit in progress stays.
"""

from keepstep_sandbox.gittab.pages.routes import page_routes

__all__ = ["page_routes"]
