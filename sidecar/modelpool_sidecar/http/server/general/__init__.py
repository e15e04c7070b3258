"""Connections on which something is not common: chunks, compressed bodies, HTTP/1.0, `Expect`, `Upgrade`, malformed
heads.

Heads are parsed by the same parser and judged by the same rules as on other connections, and answers go out over the
caller's own connection, so that nobody can tell which of the two it was. Not compiled: few requests come here.
"""
