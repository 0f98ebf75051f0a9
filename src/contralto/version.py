"""The version of Contralto; all other places read it from here."""

__version__ = "0.1.0"
