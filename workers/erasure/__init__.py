"""Erasing what is kept of one correspondent. The story is in `erase`, what is kept where in the others."""
