"""The units, counts and sizes that the query grammar knows, as plain data: English, and some names
in other languages."""

from __future__ import annotations

from typing import Final, Literal

Bound = Literal["upper", "lower", "around", "range"]
"""Which way a number bounds."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UNITS: Final[dict[str, str]] = {
    "inch": "inch inches zoll pouces pulgadas pollici polegadas",
    "cm": "cm cms centimeter centimeters centimetre centimetres",
    "mm": "mm mms millimeter millimeters millimetre millimetres",
    "m": "meter meters metre metres mtr mtrs mts",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "ml": "ml mls cc milliliter milliliters millilitre millilitres",
    "cl": "cl centiliter centiliters centilitre centilitres",
    "dl": "dl deciliter deciliters decilitre decilitres",
    "l": "liter liters litre litres ltr ltrs lts",
    "oz": "oz ounce ounces",
    "gal": "gal gallon gallons",
    "qt": "qt quart quarts",
    "mg": "mg milligram milligrams",
    "g": "gram grams gramm gramme grammes gr gms gm",
    "kg": "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes",
    "lb": "lb lbs",
    "gb": "gb gigabyte gigabytes gig gigs",
    "tb": "tb terabyte terabytes",
    "mb": "mb megabyte megabytes",
    "w": "watt watts",
    "v": "volt volts",
    "mah": "mah",
    "hz": "hz",
    "ghz": "ghz",
    "mp": "megapixel megapixels mp",
    "month": "month months monate mois meses",
    "year": "year years yr yrs jahre ans años anni",
    "tog": "tog",
    "denier": "denier",
    "karat": "karat carat ct",
    "person": "person persons people seat seats seater seaters",
}
GLUED_UNITS: Final[dict[str, str]] = {
    "inch": "in",
    "m": "m",
    "l": "l",
    "g": "g",
    "w": "w",
    "v": "v",
}
"""Letters that are units only where they touch the number ("500g", not "32 in black")."""
LEAST_APART: Final[dict[str, float]] = {"m": 4, "l": 4, "w": 4, "v": 4, "g": 10}
"""Those of them that are units, too, after a space, from how many: "20 l backpack", but "2 l
shirts" are large."""
MEASURE_BOUNDS: Final[dict[Bound, str]] = {
    "upper": "smaller than | shorter than | lighter than | narrower than | thinner than | max | "
    "maximum | maximum of | max of | no bigger than | not bigger than | no larger than | "
    "not larger than | no longer than | not longer than | no heavier than | not heavier than",
    "lower": "bigger than | larger than | longer than | heavier than | wider than | taller than | "
    "min | minimum | no smaller than | not smaller than | no shorter than | no less than",
}
"""English words that bound measures, beside those of prices."""
MEASURE_AFTER: Final[dict[Bound, str]] = {
    "upper": "or less | or smaller | or under | or shorter | or lighter | max | maximum | at most",
    "lower": "or more | or bigger | or larger | or longer | or over | or above | and up | "
    "and over | and above | and more | + | plus | min | minimum | at least",
}
"""What may follow a measure."""
CAPACITY: Final = words("sleeps seats serves")
"""Words before how many something is for."""
SIGN_UNITS: Final[dict[str, str]] = {'"': "inch", "”": "inch", "″": "inch"}
COUNTED: Final = words(
    "pack packs pk pcs pc piece pieces count set sets pair pairs box boxes bottle bottles "
    "capsules tablets rolls sheets cans bundle combo multipack multipacks stück"
)
SIZE_WORDS: Final = words(
    "size sizes sz waist chest collar größe gr taille talla taglia tamanho maat misura numero"
)
SIZE_SYSTEMS: Final = words("uk us eu")
LETTER_SIZES: Final = words("xs xxs xl xxl xxxl xxxxl")
SPOKEN_SIZES: Final = words("s m l small medium large")
"""Sizes only after a word for size."""
SIZE_NAMES: Final[dict[str, str]] = {
    "xxs": "extra extra small | xx small | xx - small",
    "xs": "extra small | x small | x - small",
    "s": "small",
    "m": "medium",
    "l": "large",
    "xl": "extra large | x large | x - large | 1xl",
    "xxl": "extra extra large | xx large | xx - large | 2xl | 2x | double xl",
    "xxxl": "xxx large | xxx - large | 3xl | 3x | triple xl",
    "xxxxl": "4xl | 4x",
}
"""Other names of sizes in letters."""
NAMED_SIZES: Final = words(
    "queen king full twin double single plus one petite junior travel family life crib"
)
