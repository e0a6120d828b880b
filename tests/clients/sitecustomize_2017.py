"""Becomes sitecustomize.py of `.venv-2017`: names that Python 3.10 took away, where programs of 2017 look for them."""

import collections
import collections.abc

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
