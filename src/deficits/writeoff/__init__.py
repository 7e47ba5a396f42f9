"""Partial write-offs: schemes as declared, and what each does on the draws of an outlook."""

from deficits.writeoff.result import WriteOff
from deficits.writeoff.scheme import Scheme, scheme_names

__all__ = ["Scheme", "WriteOff", "scheme_names"]
