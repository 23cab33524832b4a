"""How good a shop's answers are by the shop's own judgments, and which of two is better.

``entrepot eval``, the gate before a promotion (:mod:`engine.evaluation.gate`), experiments and
training share what is here: judgments, rankings, intervals and tests. The measures themselves are
a plugin's (``register_measures``), for a well-kept library has them. See ``docs/evaluation.md``.
"""
