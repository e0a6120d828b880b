"""One function per operation, one file per resource; the only callers are the server and the tests."""
