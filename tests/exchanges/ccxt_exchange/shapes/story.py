"""The story that every exchange's raw answers tell, each in the shapes of its public API documentation.

A limit buy of 0.5 BTC at 100 USDT, of which 0.2 filled in one trade at 99.5.
"""

NAME = "k3f00a1e0001"
"""The order's client id."""
