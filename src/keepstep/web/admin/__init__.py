"""The pages: rendered on the server, one module per page, complete without JavaScript.

`layout` renders, `presenting` turns values into words, `templates/_parts.html` and `templates/_fields.html` hold the
pieces that every page is made of.
"""
