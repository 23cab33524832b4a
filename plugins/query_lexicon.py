"""The words that the query grammar knows, by language, as plain data.

English counts everywhere; words of other languages count where the shop's or the shopper's
language is theirs, or where a currency stands beside the number. All entries are folded
(:func:`plugins.query_tokens.fold`) when the grammar loads them, so accents are as written.
"""

from __future__ import annotations

from typing import Final

from .unit_lexicon import COUNTED, Bound, words


def _no_more() -> str:
    """ "Don't want to spend more than", "must not cost over", and the like."""
    nots = "not don't dont can't cant cannot won't wont shouldn't shouldnt mustn't doesn't doesnt"
    verbs = ("want to spend", "want to pay", "spend", "pay", "cost", "costing", "be", "go")
    return " | ".join(
        f"{no} {verb} {more}"
        for no in nots.split()
        for verb in verbs
        for more in ("more than", "over", "above")
    )


def _no_dearer() -> str:
    """ "Not more expensive than" bounds above, whatever follows bounds below."""
    return " | ".join(
        f"{no} {dearer} than"
        for no in ("not", "no", "isn't", "nothing")
        for dearer in ("more expensive", "dearer", "pricier", "more costly", "higher")
    )


BOUNDS: Final[dict[str, dict[Bound, str]]] = {
    "en": {
        "upper": "under | below | beneath | less than | lower than | cheaper than | no more than | "
        "not more than | not over | not above | not exceeding | no higher than | up to | upto | "
        "at most | < | <= | =< | ≤ | maximum of | max of | budget of | budget is | budget around | "
        "within a budget of | limit of | limit is | capped at | nothing over | nothing above | "
        "can spend | can pay | can afford | willing to pay | willing to spend | want to spend | "
        "maximum price | maximum price of | max price | max price of | top price | price limit | "
        "price limit of | price cap | price cap of | max is | maximum is | "
        f"nothing more than | {_no_more()} | {_no_dearer()}",
        "lower": "over | above | more than | greater than | higher than | at least | "
        "no less than | not less than | not under | not below | nothing under | nothing below | "
        "more expensive than | dearer than | pricier than | no cheaper than | not cheaper than | "
        "minimum of | min of | upwards of | in excess of | "
        "starting at | starting from | > | >= | => | ≥",
        "around": "around | about | approx | approximately | roughly | circa | ca | ~ | ≈ | "
        "close to | around the | about the | "
        "in the region of | in the neighbourhood of | in the neighborhood of",
        "range": "between | from",
    },
    "de": {
        "upper": "unter | bis | bis zu | weniger als | billiger als | günstiger als | höchstens | "
        "maximal | nicht mehr als",
        "lower": "über | ab | mehr als | mindestens | teurer als",
        "around": "um | etwa | ungefähr | rund | circa | ca",
        "range": "zwischen | von",
    },
    "fr": {
        "upper": "moins de | sous | jusqu'à | au maximum | maximum | en dessous de | pas plus de",
        "lower": "plus de | à partir de | au moins | au dessus de",
        "around": "environ | autour de",
        "range": "entre | de",
    },
    "es": {
        "upper": "menos de | hasta | por debajo de | máximo | como máximo | no más de",
        "lower": "más de | desde | a partir de | mínimo | por encima de | al menos",
        "around": "alrededor de | unos | cerca de",
        "range": "entre | de",
    },
    "it": {
        "upper": "meno di | sotto | sotto i | fino a | massimo | al massimo | non più di",
        "lower": "più di | oltre | sopra i | almeno | a partire da",
        "around": "circa | intorno a",
        "range": "tra | fra | da",
    },
    "pt": {
        "upper": "menos de | até | abaixo de | máximo | no máximo | não mais de",
        "lower": "mais de | acima de | a partir de | pelo menos",
        "around": "cerca de | por volta de",
        "range": "entre | de",
    },
    "nl": {
        "upper": "onder | onder de | minder dan | tot | maximaal | hoogstens | niet meer dan",
        "lower": "boven | boven de | meer dan | vanaf | minstens",
        "around": "rond | rond de | ongeveer",
        "range": "tussen | van",
    },
}
WITH_CURRENCY: Final[dict[Bound, str]] = {
    "upper": "max | maximum | within | for | budget | sub | sub -",
    "lower": "min | minimum | from",
}
"""English words that bound a price only where a currency says so ("air max 90", "from 1990")."""
CLOSING: Final[dict[str, float]] = {
    **dict.fromkeys(("max", "maximum", "budget", "sub", "within", "min", "minimum"), 1.0),
    **{"from": 10.0, "for": 20.0},
}
"""Those of them that bound a bare price at the end of a query ("jacket max 100"), and the least
one: fewer are people or ages ("table for 6")."""
LEADS: Final[dict[bool, str]] = {
    True: "price | prices | priced | pricing | price of | priced at | price is | price range | "
    "price range of | price tag of | with a price | with a price of | with price | in the range | "
    "at a price of | in the price range | in the price range of | in the range of | cost | costs | "
    "costing | that cost | that costs | which cost | which costs | that is priced",
    False: "for | at | somewhere | anywhere | ideally | preferably | i have | i | my | on a | "
    "with a | that is | that are | something | that | which",
}
"""What leads to a price and means nothing else; whether it says by itself that one follows."""
TAILS: Final = (
    "ish | - ish | or so | or thereabouts | mark | each | apiece | in total | to spend | "
    "price range"
)
"""What may follow a price that is bounded already, and means nothing else."""
BEFORE_MAX: Final = words("nike vapor zoom mad pepsi ultra iphone galaxy")
"""Words after which "max" is part of a name."""
AFTER: Final[dict[Bound, str]] = {
    "upper": "or less | or under | or below | or cheaper | and under | and below | max | maximum | "
    "maximal | tops | at most | at the most | limit | budget",
    "lower": "or more | and up | and over | and above | or over | or above | upwards | + | plus | "
    "min | minimum | at least",
    "around": "ish | - ish | or so | or thereabouts",
}
"""What may follow a price with a currency."""
AFTER_BARE: Final[dict[Bound, str]] = {
    "upper": "or less | or under | or below | or cheaper | and under | and below | at most | "
    "at the most | to spend",
    "lower": "or more | and up | and over | and above | or over | or above | at least",
    "around": "ish | - ish | or so | or thereabouts",
}
"""What of it a bare number, too; from below no age ("8 and up")."""
AFTER_CLOSING: Final = words("max maximum budget limit")
"""What of it bounds a bare number at the end of a query, where that is a round one: "20 max"."""
RANGED: Final = words("lens lenses zoom spf focal mm age ages size sizes years months level")
"""Words after which a range of bare numbers is none of prices ("lens 70-300")."""
JOINS: Final[dict[str, str]] = {
    "en": "to | and | - | – | — | & | up to",
    "de": "bis | und",
    "fr": "et | à",
    "es": "y | a",
    "it": "e | a",
    "pt": "e | a",
    "nl": "en | tot",
}

DOLLARS: Final = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN")
CROWNS: Final = ("SEK", "NOK", "DKK", "ISK")
RUPEES: Final = ("INR", "PKR", "LKR", "NPR")
PESOS: Final = ("MXN", "ARS", "CLP", "COP", "PHP")
_CODES: Final = words("usd eur gbp jpy chf cad aud nzd pln czk huf cny brl mxn zar krw sgd hkd")
CURRENCIES: Final[dict[str, tuple[str, ...]]] = {
    **{code: (code.upper(),) for code in _CODES | words("aed rub try sek nok dkk isk inr")},
    **dict.fromkeys(("$", "dollar", "dollars", "bucks", "dólares", "dollari"), DOLLARS),
    **dict.fromkeys(("€", "euro", "euros"), ("EUR",)),
    **dict.fromkeys(("£", "quid", "pound", "pounds"), ("GBP",)),
    **dict.fromkeys(("¥", "円", "元"), ("JPY", "CNY")),
    **dict.fromkeys(("yuan", "rmb"), ("CNY",)),
    **dict.fromkeys(("₹", "rs", "rupee", "rupees"), RUPEES),
    **dict.fromkeys(("kr", "kronor", "kroner"), CROWNS),
    **dict.fromkeys(("franken", "francs"), ("CHF",)),
    **dict.fromkeys(("zł", "zloty", "złotych"), ("PLN",)),
    **{"yen": ("JPY",), "reais": ("BRL",), "pesos": PESOS},
    **{"₩": ("KRW",), "₽": ("RUB",), "₺": ("TRY",)},
}
"""What a sign or word can mean; a sign that several countries use names all of them."""
BEFORE: Final = (_CODES - {"cad"}) | words("aed inr euro rs kr")
"""Words that name the currency of the number after them, beside the signs."""
WEIGHTS_TOO: Final = frozenset({"pound", "pounds"})

NOT_MONEY: Final = COUNTED | words(
    "dozen calories calorie cal kcal carbs players player people persons person pages lumens "
    "minutes minute min mins hours hour hrs seconds days weeks degrees mph kmh rpm db dpi psi "
    "uhr stunden tage wochen seiten heures jours horas dias ore giorni uur dagen "
    "percent miles km stars birthday th st nd rd degree carb sugar sodium thread speed ply amp "
    "amps bar generation gen inch feet points pieces"
)
"""Nouns that make the number before them no price, beside the units."""

NO_PRICE_SIGNS: Final = tuple("%\"'°/:#*”″′&@")
"""Signs that touch a number only where it is no price."""
AGE_WORDS: Final = words(
    "age ages aged kids kid children child toddlers toddler babies baby boys boy girls girl son "
    "daughter grandson granddaughter nephew niece teens teenager teenagers kinder kleinkinder "
    "mädchen jungen enfant enfants bébé niño niños niña niñas bambino bambini kinderen crianças"
)
OLDEST_CHILD: Final = 21
AGE_BOUNDS: Final = words("over above ab über boven vanaf oltre sopra desde dès")
"""Words that bound ages as often as prices: "over 40 vitamins", "spiel ab 3"."""
PRICE_WORDS: Final = words(
    "price prices priced pricing cost costs costing preis prix precio prezzo"
)
"""Right before them these say that it is a price."""
OLDEST: Final = 99
PEOPLE: Final = words(
    "men mens man women womens woman ladies adults adult people seniors players person someone "
    "somebody anyone"
)
NUMBERED: Final = words(
    "no number nr size sizes sz uk us eu level grade chapter volume vol part episode season "
    "model iphone galaxy max pro air mini series version gen generation page windows"
)
"""Words that make the number after them a name or a size, not a price."""

NEGATIONS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "without": "without | w/o | with no | with out | has no | have no | having no | "
        "that has no | that have no | doesn't have | does not have | don't have | lacking | "
        "with zero",
        "instead": "rather than | instead of",
        "not": "not | but not | and not | non | except | except for | excluding | exclude | "
        "other than | anything but | but no | isn't | is not | that isn't | that is not | aren't | "
        "which is not | don't want | dont want | do not want | avoid | avoiding | minus | "
        "apart from | aside from | anything except | all but | excl | neither | never | "
        "must not be | mustn't be | should not be | shouldn't be | can't be | cannot be | "
        "skip the | leave out | leaving out | omit | omitting | can't stand | cant stand | "
        "i dislike | allergic to | don't wear | dont wear | don't need | not another | "
        "but nothing | and nothing | nothing in | nothing with | nothing made | "
        "isnt | arent | are not | that are not | which are not | that's not | thats not | "
        "that aren't | don't like | dont like | doesn't like | doesnt like | do not like | "
        "hates | i hate",
        "no": "no",
        "free": "free from | free of",
    },
    "de": {"without": "ohne", "not": "nicht | außer | aber nicht", "no": "kein | keine | keinen"},
    "fr": {"without": "sans", "not": "pas | sauf | mais pas", "no": "pas de"},
    "es": {"without": "sin", "not": "no | excepto | menos | pero no", "no": "nada de"},
    "it": {"without": "senza", "not": "non | tranne | eccetto | ma non", "no": "niente"},
    "pt": {"without": "sem", "not": "não | exceto | mas não", "no": "nada de"},
    "nl": {"without": "zonder", "not": "niet | behalve | maar niet", "no": "geen"},
}
"""What turns the words after it round. What stands after ``without`` is always unwanted;
``not`` and ``no`` only count before something that the shop sells: "not your mother's"; ``free``
only before what is no brand, which "cruelty free from lush" wants."""
FILLERS: Final = words(
    "any in for the a an of made de en color colour from by with one ones these those that"
)
"""May stand between a negation and what it negates."""
ARTICLES: Final = words("a an the")
TITLES: Final = words("a an the you me your my us him her")
"""After "without" these begin a title: "rebel without a cause"."""
STOPS: Final = words(
    "for with in on under over below above between from to by at as but and-not less more up "
    "around about für mit pour avec para con per met voor com"
)
"""Words that end what a negation negates."""
PLACES: Final = words("over under above below on in")
"""Those of them that may begin it: "not over ear"."""
EVERY: Final = words("any anything anyone anybody every everything all whatever everyone")
"""Before "but" these turn round what follows: "any brand but samsung"."""
NEUTRAL: Final = words(
    "brand brands make maker makers colour color colours colors shade shades kind kinds type types "
    "size style sort of one ones thing other"
)
"""Nouns that say nothing between the two."""
IN_ANY: Final = words("in of by from with")
ASKING: Final = words(
    "what which who where how do does did have has got is are can could would please"
)
"""Words that begin another sentence after a comma: "I hate pink, what tops do you have"."""
AND_OR: Final = words("and or nor & , + / und oder et ou y o e en of")
