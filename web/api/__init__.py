"""The REST API: one file for each kind of request.

`web/application.py` lists the files that have routes.
"""
