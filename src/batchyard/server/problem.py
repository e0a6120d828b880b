"""The one way in which a server does not start."""


class ConfigurationProblem(Exception):
    """The configuration cannot be used; the message says what to change."""
