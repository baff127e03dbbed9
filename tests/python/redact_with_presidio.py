"""What Presidio's recognisers find: the judge of our redaction.

    redact_with_presidio.py find      < texts.json    > findings.json
    redact_with_presidio.py examples                  > texts.json

`find` reads a list of texts and writes a list of lists of [kind, start, end],
in characters. `examples` writes sentences with a telephone number of every
region of the world in each of the forms in which it is written.

The recognisers are called directly. They need no language model, so the
libraries of one are replaced by empty ones, and nothing is looked up in the
network.
"""

import json
import sys
from unittest.mock import MagicMock

for name in (
    "spacy",
    "spacy.cli",
    "spacy.language",
    "spacy.pipeline",
    "spacy.tokens",
    "spacy.util",
    "spacy.vocab",
    "thinc",
    "thinc.api",
):
    sys.modules.setdefault(name, MagicMock())

import phonenumbers
import tldextract
from phonenumbers import PhoneNumberFormat

tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    NgNinRecognizer,
    PhoneRecognizer,
)

RECOGNISERS = [
    (CreditCardRecognizer(), "CREDIT_CARD"),
    (EmailRecognizer(), "EMAIL_ADDRESS"),
    (PhoneRecognizer(supported_regions=["NG", "GB", "US", "GH", "DE", "IN"]), "PHONE_NUMBER"),
    (NgNinRecognizer(), "NG_NIN"),
]


def find(text):
    found = []
    for recogniser, entity in RECOGNISERS:
        for one in recogniser.analyze(text, [entity], None):
            found.append([entity, one.start, one.end])
    return found


def examples():
    texts = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for sort in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, sort)
            if number is None:
                continue
            abroad = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
            plain = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            texts += [f"Call me on {abroad} please", plain, f"The number is {abroad.replace(' ', '-')}"]
            texts.append(f"dial {phonenumbers.format_out_of_country_calling_number(number, 'NG')} from here")
            texts.append(f"it is {plain.replace('+', '00', 1)}")
            if region == "NG":
                texts.append(f"My phone is {phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)}")
    return texts


def main():
    if sys.argv[1:] == ["find"]:
        json.dump([find(text) for text in json.load(sys.stdin)], sys.stdout)
    elif sys.argv[1:] == ["examples"]:
        json.dump(examples(), sys.stdout)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
