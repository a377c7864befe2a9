"""The queue: a dramatiq broker over Redis that loses nothing.

`keys.py` says what is stored, the `.lua` files how it moves.
"""

from workers.broker.broker import Broker
from workers.broker.keys import PRIORITIES
from workers.broker.producer import Producer

__all__ = ["PRIORITIES", "Broker", "Producer"]
