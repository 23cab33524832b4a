"""Names of one kind of thing, where shoppers and shops say different words: British and American
English, and what is said in speech.

A shop's own synonyms and values come first: a name counts only where the shop has no value of it,
and stands for all values of its group that the shop has.
"""

from __future__ import annotations

from typing import Final

from .word_forms import key_of, words_of

_GROUPS: Final = """
trainers | sneakers | sports shoes | running shoes | gym shoes | athletic shoes
casual shoes | sneakers | trainers | plimsolls | everyday shoes
formal shoes | dress shoes | office shoes | oxfords | brogues | derbies
heels | high heels | stilettos | pumps | court shoes
flats | ballerinas | ballet flats | ballet pumps | flat shoes | pumps
flip flops | beach slippers
sandals | floaters
boots | wellies
track pants | joggers | jogging bottoms | sweatpants | tracksuit bottoms | trackies | sweat pants
tracksuits | jogging suits | shell suits
lounge pants | pyjama bottoms | lounge wear | loungewear
night suits | pyjamas | nightwear | sleepwear | night clothes
trousers | pants | slacks | chinos
jeans | denims | denim pants
leggings | tights
sweaters | jumpers | pullovers | knitwear | woollies
sweatshirts | hoodies | hoodys | sweat shirts
jackets | coats | anoraks | parkas | raincoats | outerwear
blazers | sport coats | suit jackets
tshirts | tees | tee shirts
shirts | button downs | dress shirts
tops | blouses
dresses | frocks | gowns
innerwear vests | vests | undershirts | singlets
waistcoats | vests
briefs | underpants | panties | knickers | undies
trunks | boxers | boxer shorts
bras | brassieres
swimwear | swimsuits | bathing suits | bikinis | swimming costumes | swim trunks
suspenders | braces
ties | neckties
scarves | mufflers | stoles
caps | hats | baseball caps
sarees | saris
kurtas | kurtis
handbags | purses | hand bags | shoulder bags
wallets | purses | billfolds | card holders
clutches | evening bags | clutch bags
backpacks | rucksacks | daypacks | knapsacks | school bags
duffel bags | holdalls | gym bags | sports bags | duffle bags
waist pouches | bum bags | fanny packs | belt bags
laptop bags | laptop sleeves | computer bags
mobile pouches | phone pouches | phone cases | phone covers
luggage | suitcases
watches | wristwatches | timepieces
sunglasses | sun glasses | sunnies
perfume and body mist | perfumes | fragrances | colognes | scents | aftershaves | eau de toilette
deodorants | deos | antiperspirants
necklaces | chains | necklace and chains
water bottles | sippers | drinking bottles | flasks
umbrellas | brollies | parasols
makeup | make up | cosmetics
lipsticks | lip colours
nail polish | nail varnish
sofas | couches | settees
armchairs | easy chairs
wardrobes | closets | armoires
bookshelves | bookcases
curtains | drapes
rugs | carpets
lamps | lights | lighting
taps | faucets
torches | flashlights
vacuum cleaners | vacuums | hoovers
fridges | refrigerators
cookers | stoves | ranges
bins | trash cans | garbage cans | waste bins
duvets | comforters | quilts
monitors | screens | displays
televisions | tvs | telly
laptops | notebooks
mobile phones | smartphones | cell phones | cellphones | mobiles
headphones | headsets | earphones | earbuds
hard drives | hard disks
bikes | bicycles | cycles
footballs | soccer balls
prams | strollers | pushchairs | buggies
nappies | diapers
cots | cribs
aubergines | eggplants
zucchini | courgettes
yoghurt | yogurt
soy milk | soya milk | soy drink | soya drink
soyghurt | soy yoghurt | soya yoghurt | soy yogurt | soya yogurt
oatghurt | oat yoghurt | oat yogurt
soy milk | oat milk | almond milk | rice milk | plant milk | vegan milk | dairy free milk
soy milk | oat milk | almond milk | rice milk | plant based milk | milk alternative
soyghurt | oatghurt | plant yoghurt | vegan yoghurt | dairy free yoghurt
crisps | potato chips
sweets | candy
biscuits | cookies
soft drinks | sodas | fizzy drinks
plants | houseplants | house plants | pot plants
"""
GROUPS: Final = tuple(tuple(line.split(" | ")) for line in _GROUPS.strip().splitlines())
"""Names in a group may be in another one, too: a purse is a handbag or a wallet."""
LONGEST: Final = max(len(name.split()) for group in GROUPS for name in group)
"""Words of the longest name."""
_BY_KEY: Final[dict[str, tuple[str, ...]]] = {}
for _group in GROUPS:
    for _name in _group:
        _key = key_of(words_of(_name))
        _BY_KEY[_key] = tuple(dict.fromkeys((*_BY_KEY.get(_key, ()), *_group)))


def other_names(name: str) -> tuple[str, ...]:
    """All names of the kinds that ``name`` stands for, itself among them; empty where no group
    has it."""
    return _BY_KEY.get(key_of(words_of(name)), ())
