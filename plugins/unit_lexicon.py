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
    "cm": "cm cms centimeter centimeters centimetre centimetres zentimeter centimetro centimetros "
    "centimetri",
    "mm": "mm mms millimeter millimeters millimetre millimetres",
    "m": "meter meters metern metre metres mtr mtrs mts metro metros metri",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "ml": "ml mls cc milliliter milliliters millilitre millilitres",
    "cl": "cl centiliter centiliters centilitre centilitres",
    "dl": "dl deciliter deciliters decilitre decilitres",
    "l": "liter liters litern litre litres ltr ltrs lts litro litros litri",
    "oz": "oz ounce ounces",
    "gal": "gal gallon gallons",
    "qt": "qt quart quarts",
    "mg": "mg milligram milligrams",
    "g": "gram grams gramm gramme grammes grammi gramos gramas gr gms gm",
    "kg": "kg kgs kilo kilos kilogram kilograms kilogramm kilogramme kilogrammes",
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
    "month": "month months mo mos monat monate monaten mois meses mesi maand maanden",
    "year": "year years yr yrs jahr jahre jahren jährige jährigen jähriger "
    "ans année années año años anos anni jaar",
    "tog": "tog",
    "denier": "denier",
    "karat": "karat carat ct",
    "person": "person persons people seat seats seater seaters personen personne personnes persona "
    "personas persone pessoa pessoas player players spieler joueurs "
    "jugadores giocatori spelers sitzer places plazas posti",
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
    "not larger than | no longer than | not longer than | no heavier than | not heavier than | "
    "no wider than | not wider than | no taller than | not taller than | no deeper than | "
    "kleiner als | kürzer als | leichter als | plus petit que | plus court que | más pequeño que",
    "lower": "bigger than | larger than | longer than | heavier than | wider than | taller than | "
    "deeper than | thicker than | "
    "min | minimum | no smaller than | not smaller than | no shorter than | no less than | "
    "größer als | länger als | schwerer als | plus grand que | plus long que | más grande que",
}
"""Words that bound measures, beside those of prices."""
MEASURE_AFTER: Final[dict[Bound, str]] = {
    "upper": "or less | or smaller | or under | or younger | and under | and younger | "
    "or shorter | or lighter | at most | oder weniger | ou moins | o menos | o meno | of minder | "
    "ou menos",
    "lower": "or more | or bigger | or larger | or longer | or over | or above | or older | "
    "and up | and over | and above | and more | and older | at least | oder mehr | und mehr | "
    "ou plus | et plus | o más | y más | o più | e più | of meer | en meer | ou mais | e mais",
}
"""What may follow a measure, also after a word or two ("16 gb ram or more")."""
MEASURE_CLOSING: Final[dict[Bound, str]] = {
    "upper": "max | maximum",
    "lower": "min | minimum | plus | +",
}
"""What bounds a measure only where nothing follows that it could belong to: a "20v max drill" is
called so."""
TIMES: Final = words("x × by * auf")
"""Between the sides of something, or how many of how much: "120 x 60 cm", "6 x 330 ml"."""
EXTENTS: Final = words(
    "w h d l wide long high tall deep thick width height depth length diameter dia round square "
    "hoch breit lang tief"
)
"""What a length is of; after these and at the end of a text "in" is a unit."""
AGES: Final = words("age ages aged alter âge edad età idade leeftijd")
"""Words before ages."""
SINCE: Final = words("ab from over dès des vanaf desde partir")
"""Words before the least age."""
CONTENTS: Final = words(
    "protein proteins sugar sugars carbs carb fat fats fiber fibre sodium salt caffeine eiweiß "
    "zucker protéines sucre azúcar proteína"
)
"""After a mass: of what is in something, and no mass of the thing."""
OLD: Final = words("old olds")
WARRANTY: Final = words("warranty warranties guarantee guaranteed guarantees garantie garantía")
"""Words after a time that is none of anybody's age."""
CAPACITY: Final = words("sleeps seats serves")
"""Words before how many something is for."""
SIGN_UNITS: Final[dict[str, str]] = {
    **{'"': "inch", "”": "inch", "′′": "inch", "''": "inch"},
    **{"'": "ft", "′": "ft"},
}
"""Signs after a number, as :func:`engine.fold` leaves them."""
PACKS: Final = words(
    "pack packs pk set sets box boxes bundle combo multipack multipacks packung packungen lot "
    "juego paquete paquetes confezione confezioni conjunto"
)
PORTIONS: Final = words(
    "bottle bottles capsule capsules softgel softgels caplets gummies lozenges tablets rolls "
    "sheets cans sachets wipes kapseln tabletten rollen flaschen dosen beutel gélules comprimés "
    "rouleaux cápsulas comprimidos compresse rotoli"
)
"""What is in a pack: "60 capsules (pack of 2)" are two statements."""
COUNTED: Final = (
    PACKS
    | PORTIONS
    | words(
        "pcs pc piece pieces count ct pair pairs stück stk teilig tlg pièces piezas pezzi stuks "
        "delig peças unidades"
    )
)
"""Nouns of what is counted."""
OF: Final = words("of de di von da van")
"""Between one of them and the number: "pack of 6", "lot de 6"."""
JEWELLERY: Final = words(
    "gold silver platinum diamond diamonds ring rings earring earrings stud studs necklace pendant "
    "bracelet brooch gem gems gemstone ruby sapphire emerald solitaire jewelry jewellery bangle tw"
)
MOST_KARATS: Final = 24
""""ct" are carats beside such words up to here, else it counts."""
LETTERED: Final = words("omega b d k q")
MOST_LETTERED: Final = 12
"""Words and letters that make a number up to here after them part of a name: "omega 3", "b 12"."""
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
