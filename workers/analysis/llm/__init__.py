"""A language model beside the local analysis: an option of each organization, never needed, never obeyed."""

from workers.analysis.llm.language_model import LanguageModel, WrittenReply

__all__ = ["LanguageModel", "WrittenReply"]
