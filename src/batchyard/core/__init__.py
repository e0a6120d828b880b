"""The pure core: everything that can be decided, decided by functions of rows and the time.

Nothing here knows the clock, a file, a socket, a log or a database; the import contracts keep it so.
"""
