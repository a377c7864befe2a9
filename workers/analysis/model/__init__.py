"""The trained classifier: numbers in files beside this one, read without scikit-learn."""

from workers.analysis.model.classifier import Classifier, Prediction, load_classifier

__all__ = ["Classifier", "Prediction", "load_classifier"]
