"""How many examples of each law the tests of a plugin try that run within a test."""

from __future__ import annotations


def few_examples(count: int) -> str:
    """A `conftest.py` by which each law is tried so often."""
    return (
        "from hypothesis import Phase, settings\n"
        f"settings.register_profile('few', max_examples={count}, phases=[Phase.generate])\n"
        "settings.load_profile('few')\n"
    )
