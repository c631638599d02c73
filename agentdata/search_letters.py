"""The letters that searches take for the same: in most languages those with an accent and without.

An accent is folded where people who write the language often leave it out and an alphabet does not count
the letter as one of its own: *décembre* is *decembre*. Each language keeps its own letters, such as the
Swedish *å*, *ä* and *ö*, but folds those of other languages. The stemmer of PostgreSQL sees the folded words
of texts and of queries.
"""

import unicodedata

KEPT = {
    "basque": "ñ",
    "catalan": "",
    "danish": "åæø",
    "dutch": "",
    "english": "",
    "estonian": "äõöšüž",
    "finnish": "åäö",
    "french": "",
    "german": "äöüß",
    "hungarian": "áéíóöőúüű",
    "indonesian": "",
    "irish": "",
    "italian": "",
    "lithuanian": "ąčęėįšųūž",
    "norwegian": "åæø",
    "portuguese": "",
    "romanian": "",
    "spanish": "ñ",
    "swedish": "åäö",
    "turkish": "çğıİöşü",
}
"""The letters that a language keeps. All others keep every accent: most are not written in Latin letters.

`simple` is among them: without a language, nobody knows whether *schön* and *schon* are one word.
"""

_WHOLE = {"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ß": "ss", "ı": "i"}  # noqa: RUF001  # letters
_WHOLE |= {"Œ": "OE", "Æ": "AE", "Ø": "O", "Đ": "D", "Ł": "L", "ẞ": "SS"}
"""Letters that Unicode does not decompose."""

_WITH_ACCENTS = "ǢǣǼǽǾǿ"
"""The composed letters of which these are the base."""


def definition(language: str) -> str:
    """Return the SQL that makes the function `search_letters` fold the accents of a language."""
    return (
        "CREATE OR REPLACE FUNCTION search_letters(parted text, raw text, is_latin boolean) RETURNS text"
        f" LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {_folded(language)}"
    )


def _folded(language: str) -> str:
    if (kept := KEPT.get(language)) is None:
        return "search_composed(parted, raw, is_latin)"
    accented = [unicodedata.normalize("NFD", letter) for letter in kept]
    both = "|".join(
        cased for letter in accented if len(letter) > 1 for cased in (letter.lower(), letter.upper())
    )
    folded = f"search_unaccented(parted, raw, is_latin, '{both and f'(?!{both})'}')"
    whole = folded
    for letter, by in _WHOLE.items():
        if letter.lower() not in kept:
            whole = f"replace({whole}, '{letter}', '{by}')"
    # Few texts have one of these.
    return f"CASE WHEN raw ~ '[{''.join(_WHOLE)}{_WITH_ACCENTS}]' THEN {whole} ELSE {folded} END"
