"""Loaded by a .pth file of `.venv-2017` at every start: names that Python 3.10 took away, where 2017 looks for them."""

import collections
import collections.abc

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
