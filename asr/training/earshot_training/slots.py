"""What fills a template's slots: numbers, money, dates, times, names, codes, addresses, as people say them."""

import random

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
DAYS_OF_MONTH = ORDINALS + [f"twenty {word}" for word in ORDINALS[:9]] + ["thirtieth", "thirty first"]
MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
ALPHABET = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec "
    "romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"

FIRST_NAMES = (
    "james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan joseph "
    "jessica thomas sarah charles karen christopher lisa daniel nancy matthew betty anthony sandra mark margaret "
    "donald ashley steven kimberly paul emily andrew donna joshua michelle kenneth carol kevin amanda brian melissa "
    "george deborah edward stephanie ronald rebecca timothy laura jason helen jeffrey sharon ryan cynthia jacob "
    "kathleen gary amy nicholas angela eric anna jonathan ruth larry brenda justin pamela scott nicole brandon "
    "katherine frank samantha benjamin christine gregory emma samuel catherine oliver sophie harry olivia jack "
    "charlotte liam grace noah ella peter claire simon fiona alan gillian martin hannah stuart lucy graham alice "
    "carlos maria jose ana luis elena mohammed fatima ahmed aisha raj priya arjun anita wei mei hiroshi yuki "
    "patrick bridget sean kate adam julia victor diana ivan irina oscar rosa walter judith roger joan harold martha"
).split()
LAST_NAMES = (
    "smith johnson williams brown jones garcia miller davis rodriguez martinez wilson anderson taylor thomas moore "
    "jackson martin lee perez thompson white harris sanchez clark lewis robinson walker young allen king wright "
    "torres hill flores green adams nelson baker hall rivera campbell mitchell carter roberts phillips evans turner "
    "parker collins edwards stewart morris murphy cook rogers morgan peterson cooper reed bailey bell gomez kelly "
    "howard ward cox diaz richardson wood watson brooks bennett gray hughes price myers long foster patel singh khan "
    "chen wong kim park nguyen tran schmidt fischer weber rossi russo silva santos costa murray fraser macdonald "
    "obrien sullivan ryan burke doyle fitzgerald gordon graham hunter knight lawrence mason palmer shaw simpson "
    "stevens sutton walsh webb west barker bishop carpenter dixon ellis ford gibson grant harrison hart holmes"
).split()
STREETS = (
    "main oak maple cedar elm washington lake hill park pine church river spring highland union prospect center mill "
    "jefferson lincoln station victoria queen king london albert chestnut walnut sunset meadow forest garden bridge "
    "school market broad high north south west east lakeside brook valley ridge"
).split()
STREET_KINDS = "street avenue road lane drive court boulevard way place close crescent terrace".split()
CITIES = (
    "new york|los angeles|chicago|houston|phoenix|philadelphia|san antonio|san diego|dallas|austin|boston|denver|"
    "seattle|portland|atlanta|miami|orlando|detroit|nashville|memphis|baltimore|milwaukee|cleveland|tampa|"
    "kansas city|las vegas|salt lake city|new orleans|london|manchester|birmingham|leeds|glasgow|liverpool|bristol|"
    "edinburgh|dublin|toronto|vancouver|sydney|melbourne|cambridge|oxford|springfield|riverside"
).split("|")
STATES = (
    "california|texas|florida|new york|pennsylvania|illinois|ohio|georgia|north carolina|michigan|new jersey|"
    "virginia|washington|arizona|massachusetts|tennessee|indiana|missouri|maryland|wisconsin|colorado|minnesota|"
    "south carolina|alabama|louisiana|kentucky|oregon|oklahoma|connecticut|utah|nevada|iowa|kansas"
).split("|")
PRODUCTS = (
    "phone|laptop|router|modem|headset|keyboard|monitor|printer|tablet|charger|subscription|internet service|"
    "television|cable|phone plan|data plan|warranty|shoes|jacket|camera|speaker|washing machine|coffee maker|"
    "credit card|debit card|sim card|voice mail|mobile app|web site|gift card|dish washer|refrigerator|air conditioner|"
    "vacuum cleaner|bicycle|mattress|sofa|dining table|office chair|watch|ring|necklace|backpack|suitcase|sweater|"
    "dress|coat|boots|toaster|microwave|blender|heater|smoke detector|thermostat|door bell|security camera|"
    "battery|cable box|remote control|broadband|landline|insurance policy|car insurance|home insurance|"
    "travel insurance|mortgage|loan|savings account|checking account|pension|prescription|hearing aid|hotel room|"
    "flight|train ticket|rental car|reservation|membership|gym membership|magazine|newspaper|software|license"
).split("|")
COMPANIES = (
    "northern power|blue river energy|city water|summit bank|first national bank|green valley insurance|"
    "united health|metro mobile|sky net|fast fiber|home direct|office world|fresh market|golden travel|"
    "star airlines|pacific hotels|rapid parcel|express delivery|silver line|bright homes|care plus|easy loans"
).split("|")
EMAIL_HOSTS = "gmail yahoo hotmail outlook example company mail icloud aol work school".split()


class Slots:
    """Fills slots by name, from one seeded source of chance."""

    def __init__(self, random_source: random.Random, words: list[str]):
        self.random = random_source
        self.words = words
        self._by_name = {
            name.removeprefix("slot_"): getattr(self, name) for name in dir(self) if name.startswith("slot_")
        }

    def fill(self, name: str) -> str:
        """@raises KeyError for a slot that does not exist"""
        return self._by_name[name]()

    def one(self, items):
        return items[self.random.randrange(len(items))]

    # -- numbers

    def number(self, n: int) -> str:
        """0 to 999,999 as it is said."""
        if n < 10:
            return DIGITS[n]
        if n < 20:
            return TEENS[n - 10]
        if n < 100:
            return TENS[n // 10 - 2] + ("" if n % 10 == 0 else " " + DIGITS[n % 10])
        if n < 1000:
            joint = self.one([" ", " and "])
            return DIGITS[n // 100] + " hundred" + ("" if n % 100 == 0 else joint + self.number(n % 100))
        return self.number(n // 1000) + " thousand" + ("" if n % 1000 == 0 else " " + self.number(n % 1000))

    def digits(self, count: int) -> str:
        """Digit by digit, with oh for zero and doubles, as people read out numbers."""
        oh = self.random.random() < 0.4
        doubles = self.random.random() < 0.15
        values = [self.random.randrange(10) for _ in range(count)]
        said = []
        i = 0
        while i < count:
            word = "oh" if oh and values[i] == 0 else DIGITS[values[i]]
            if doubles and i + 1 < count and values[i + 1] == values[i]:
                said.append("double " + word)
                i += 2
            else:
                said.append(word)
                i += 1
        return " ".join(said)

    def slot_n(self):
        return self.number(self.random.randint(2, 60))

    def slot_small(self):
        return self.number(self.random.randint(2, 12))

    def slot_big(self):
        return self.number(self.one([self.random.randint(100, 999), self.random.randint(1000, 250000)]))

    def slot_percent(self):
        whole = self.number(self.random.randint(1, 100))
        point = f" point {DIGITS[self.random.randrange(10)]}" if self.random.random() < 0.3 else ""
        return f"{whole}{point} percent"

    def slot_digit(self):
        return self.one(DIGITS[1:])

    # -- codes

    def slot_account(self):
        return self.digits(self.random.randint(4, 10))

    def slot_card(self):
        return self.digits(16) if self.random.random() < 0.25 else self.digits(4)

    def slot_phone(self):
        kind = self.random.random()
        if kind < 0.5:
            return f"{self.digits(3)} {self.digits(3)} {self.digits(4)}"
        if kind < 0.7:
            return self.digits(7)
        if kind < 0.85:
            return f"oh {self.digits(4)} {self.digits(3)} {self.digits(3)}"
        return f"eight hundred {self.digits(3)} {self.digits(4)}"

    def slot_reference(self):
        kind = self.one("order invoice ticket reference confirmation tracking case policy claim booking customer".split())
        return f"{kind} number {self.slot_code()}"

    def slot_code(self):
        kind = self.random.random()
        if kind < 0.55:
            return self.digits(self.random.randint(4, 8))
        letters = " ".join(self.one(LETTERS) for _ in range(self.random.randint(1, 3)))
        return f"{letters} {self.digits(self.random.randint(2, 5))}"

    def slot_spelled(self):
        kind = self.random.random()
        if kind < 0.5:
            return " ".join(self.one(LAST_NAMES))
        if kind < 0.7:
            return " ".join(self.one(FIRST_NAMES))
        if kind < 0.85:
            return " ".join(self.one(LETTERS) for _ in range(self.random.randint(3, 6)))
        picked = [self.random.randrange(26) for _ in range(self.random.randint(2, 3))]
        if self.random.random() < 0.5:
            return " ".join(ALPHABET[i] for i in picked)
        return " ".join(f"{LETTERS[i]} for {ALPHABET[i]}" for i in picked)

    def slot_postcode(self):
        if self.random.random() < 0.7:
            return self.digits(5)
        first = f"{self.one(LETTERS)} {self.one(LETTERS)} {self.slot_digit()}"
        return f"{first} {self.slot_digit()} {self.one(LETTERS)} {self.one(LETTERS)}"

    # -- money, dates, times

    def slot_money(self):
        unit, cent = self.one([("dollars", "cents")] * 5 + [("pounds", "pence"), ("euros", "cents")])
        kind = self.random.random()
        if kind < 0.4:
            return f"{self.number(self.random.randint(2, 999))} {unit}"
        if kind < 0.65:
            cents = self.number(self.random.randint(1, 99))
            return f"{self.number(self.random.randint(1, 500))} {unit} and {cents} {cent}"
        if kind < 0.85:
            return f"{self.number(self.random.randint(2, 99))} {self.number(self.random.randint(10, 99))}"
        if kind < 0.92:
            return f"{self.number(self.random.randint(1000, 99999))} {unit}"
        return self.one(["a hundred dollars", "fifty bucks", "half a million dollars", "a couple of dollars"])

    def year(self) -> str:
        kind = self.random.random()
        if kind < 0.45:
            return "nineteen " + self.number(self.random.randint(30, 99))
        if kind < 0.7:
            return "twenty " + self.number(self.random.randint(10, 30))
        return "two thousand " + self.one(["", "and "]) + self.number(self.random.randint(1, 20))

    def slot_date(self):
        kind = self.random.random()
        month, day = self.one(MONTHS), self.one(DAYS_OF_MONTH)
        if kind < 0.4:
            return f"{month} {day}"
        if kind < 0.6:
            return f"the {day} of {month}"
        if kind < 0.8:
            return f"{month} {day} {self.year()}"
        if kind < 0.9:
            return f"the {day}"
        return self.one(["last ", "next ", "this ", ""]) + self.one(WEEKDAYS)

    def slot_birth(self):
        month, day = self.one(MONTHS), self.one(DAYS_OF_MONTH)
        return self.one([f"{month} {day} {self.year()}", f"the {day} of {month} {self.year()}"])

    def slot_day(self):
        return self.one(WEEKDAYS)

    def slot_month(self):
        return self.one(MONTHS)

    def slot_time(self):
        hour = self.number(self.random.randint(1, 12))
        minute = self.one(["o clock", "thirty", "fifteen", "forty five", "", self.number(self.random.randint(10, 59))])
        part = self.one([" a m", " p m", "", "", " in the morning", " in the afternoon", " tonight"])
        special = self.one([f"half past {hour}", f"quarter to {hour}", f"quarter past {hour}", "noon", "midnight"])
        return special if self.random.random() < 0.15 else f"{hour} {minute}{part}".replace("  ", " ").strip()

    def slot_ordinal(self):
        return self.one(ORDINALS[1:8])

    def slot_daypart(self):
        return self.one(["morning", "afternoon", "evening"])

    # -- people, places, things

    def slot_first(self):
        return self.one(FIRST_NAMES)

    def slot_last(self):
        return self.one(LAST_NAMES)

    def slot_name(self):
        return f"{self.one(FIRST_NAMES)} {self.one(LAST_NAMES)}"

    def slot_address(self):
        number = self.number(self.random.randint(1, 999))
        if self.random.random() < 0.3:
            number = f"{self.number(self.random.randint(10, 99))} {self.number(self.random.randint(10, 99))}"
        town = f" in {self.one(CITIES)}" if self.random.random() < 0.4 else ""
        return f"{number} {self.one(STREETS)} {self.one(STREET_KINDS)}{town}"

    def slot_city(self):
        return self.one(CITIES)

    def slot_state(self):
        return self.one(STATES)

    def slot_product(self):
        return self.one(PRODUCTS)

    def slot_company(self):
        return self.one(COMPANIES)

    def slot_email(self):
        user = self.one([
            f"{self.one(FIRST_NAMES)} dot {self.one(LAST_NAMES)}",
            f"{self.one(FIRST_NAMES)} {self.digits(2)}",
            f"{self.one(LETTERS)} {self.one(LAST_NAMES)}",
            f"{self.one(FIRST_NAMES)} underscore {self.one(LAST_NAMES)}",
        ])
        return f"{user} at {self.one(EMAIL_HOSTS)} dot {self.one(['com', 'com', 'com', 'org', 'net', 'co dot u k'])}"

    def slot_w(self):
        return self.one(self.words)

    def slot_w2(self):
        return f"{self.one(self.words)} {self.one(self.words)}"
