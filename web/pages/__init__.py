"""The pages: rendered on the server, complete without script.

`web/application.py` lists the files that have routes.
"""
