"""Everything that answers HTTP: pages, the JSON API, and the doors that Productboard and trackers knock on.

Each route parses, calls one use case of `keepstep.app` and renders. What the routes are given comes from `deps`, what
goes wrong is turned into an answer in `errors`, and `app` puts it all together.
"""
