"""Fetching from strangers through one guarded client."""

from lapel.fetching.caching import CachingFetcher
from lapel.fetching.client import GuardedFetcher
from lapel.fetching.resolving import Resolver, SystemResolver

__all__ = ["CachingFetcher", "GuardedFetcher", "Resolver", "SystemResolver"]
