"""The whole conformance kit."""

from lapel.database.conformance.suite import *  # noqa: F403 - whatever a later Lapel adds
