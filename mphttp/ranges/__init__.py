"""One body by several connections, where the server has no Multipath TCP (RFC 9110, section 14).

The first response streams on from its beginning; each other connection, on another path, fetches
parts from the end backwards (`plan`), so that the first one is never interrupted and whoever is
faster does more. To a strategy such a connection is a subflow like any other (`control`).
"""
