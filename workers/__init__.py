"""The core of ECONEURA Workers: what is done with a message, free of HTTP servers and of dramatiq actors."""

__version__ = "0.1.0"
