"""What people's corrections teach: an adjustment of the classifier for one organization. No I/O."""

from workers.analysis.learning.adjustment import Adjustment
from workers.analysis.learning.example import HEADS, OWN, Example, Signature, signature_of
from workers.analysis.learning.fitting import fit, guesses

__all__ = ["HEADS", "OWN", "Adjustment", "Example", "Signature", "fit", "guesses", "signature_of"]
