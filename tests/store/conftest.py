from tests.store.s3 import proxy, server

__all__ = ("proxy", "server")
