"""Settings: read from the environment, checked and frozen."""

from lapel.config.misspelling import misspelt_settings
from lapel.config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings", "misspelt_settings"]
