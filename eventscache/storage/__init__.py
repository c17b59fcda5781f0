"""Storages: the contract, and the backends that come with the package."""
