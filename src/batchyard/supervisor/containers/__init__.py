"""Containers without an engine: images from podman's storage, an overlay for each, a runtime spec, and crun."""
