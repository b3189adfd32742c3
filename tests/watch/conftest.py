"""A hook that is connected to the local OSS server."""

from tests.hooks.conftest import hook, make_hook

__all__ = ["hook", "make_hook"]
