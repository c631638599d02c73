r"""Searches in more languages: scripts without spaces, and one form of each letter.

Revision: 0031, after 0030

Chinese, Japanese, Thai and some other scripts are written without spaces. Of a run of them a document has each
two neighbouring letters, and the last one alone: of 東京都 it has 東京, 京都 and 都. A query for some letters
becomes the phrase of their pairs, and a query for one letter finds all pairs that begin with it.

Texts and queries are read in the normal form NFKC, so composed and decomposed accents are the same, and so are
letters of other widths, ligatures and presentation forms. The function `search_letters` makes it, and
`agentdata search-language` replaces this function by one that also folds the accents of a language. As indexes
hold its results, the command drops and creates them. Texts in ASCII skip all of this.

All three search indexes are built anew, which blocks reads and writes of their tables meanwhile.
"""
import re
from pathlib import Path

from alembic import op
from alembic.util import load_python_file

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None

# See 0002: what row-level security keeps from indexes unless a superuser vouches for it.
TRUSTED = (
    '"normalize"(text, text)',
    "length(text)",
    "octet_length(text)",
    "replace(text, text, text)",
    "textregexeq(text, text)",
)
TRUST = f"""
DO $$ BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        {" ".join(f"ALTER FUNCTION pg_catalog.{function} LEAKPROOF;" for function in TRUSTED)}
    END IF;
END $$
"""

# Letters of the scripts that are written without spaces: Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham
# and Tai Viet (the class SA of Unicode's line breaking); Hiragana, Katakana also of half width, and Bopomofo;
# Chinese characters with their radicals, and the ideographs of Tangut and Nushu.
SPACELESS = "".join((
    r"\u0E01-\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E81-\u0EB0\u0EB2\u0EB3\u0EBD-\u0EC6\u0EDC-\u0EDF\u1000-\u102A\u103F",
    r"\u1050-\u1055\u105A-\u105D\u1061\u1065\u1066\u106E-\u1070\u1075-\u1081\u108E\u1780-\u17B3\u17D7\u17DC",
    r"\u1950-\u1974\u1980-\u19C9\u1A20-\u1A54\u1AA7\u2E9F\u2EF3\u2F00-\u2FD5\u3005-\u3007\u3021-\u3029\u3031-\u3035",
    r"\u3038-\u303C\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u31A0-\u31BF\u31F0-\u31FF",
    r"\u3400-\u4DBF\u4E00-\u9FFF\uA9E0-\uA9E4\uA9E6-\uA9EF\uA9FA-\uA9FE\uAA60-\uAA76\uAA7A\uAA7E-\uAAAF\uAAB1",
    r"\uAAB5\uAAB6\uAAB9-\uAABD\uAAC0\uAAC2\uAADB-\uAADD\uF900-\uFAFF\uFF66-\uFF9D\U00017000-\U00018DFF",
    r"\U0001AFF0-\U0001B2FF\U00020000-\U0003FFFF",
))
# Their marks, and those of any script. A letter is one with its marks.
OWN_MARKS = "".join((
    r"\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECD\u102B-\u103E\u1056-\u1059\u105E-\u1060",
    r"\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u17B4-\u17D3\u17DD\u1A55-\u1A7F",
    r"\u302A-\u302F\u3099\u309A\uA9E5\uAA7B-\uAA7D\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uFF9E\uFF9F",
))
ITS_MARKS = r"\u0300-\u036F" + OWN_MARKS
LETTER = f"[{SPACELESS}][{ITS_MARKS}]*"
# What is invisible within such a run: spaces and joiners without a width, and selectors of variants.
INVISIBLE = f"(?<=[{SPACELESS}{OWN_MARKS}])[\\u200B-\\u200D\\u2060\\uFE00-\\uFE0F\\U000E0100-\\U000E01EF]+"
RUN = f"[{SPACELESS}][{SPACELESS}{ITS_MARKS}]*"
NOT_FIRST = f"(?<=[{SPACELESS}{ITS_MARKS}]){LETTER}"

# Frequent characters that NFKC leaves as they are, whatever stands beside them, and that are no marks or joiners;
# and those that part words. To find that a text has no others is much quicker than to make its normal form.
STEADY = "".join((
    r"\u0001-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u0250-\u02AF\u0391-\u03CE\u0400-\u0482",
    r"\u048A-\u052F\u0531-\u0556\u0561-\u0586\u05D0-\u05EA\u0620-\u064A\u0660-\u0669\u0671-\u0674\u0679-\u06D3",
    r"\u0904-\u0928\u092A-\u0930\u0932\u0933\u0935-\u0939\u0966-\u096F\u0E01-\u0E30\u0E32\u0E40-\u0E46\u10D0-\u10FA",
    r"\u2000-\u200B\u200E-\u206F\u20A0-\u20CF\u2190-\u2BFF\u3000-\u3029\u3041-\u3096\u309D\u309E\u30A0-\u30FE",
    r"\u3400-\u9FFF\uAC00-\uD7A3\uFE0F\uFE30-\uFE4F\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65",
    r"\U0001F300-\U0001FAFF\U00020000-\U0002F7FF",
))
# The same for letters with accents, which may be folded.
ACCENTED = r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u0180-\u01C3\u01CD-\u01F0"
ACCENTED += r"\u01F4-\u024F\u1E00-\u1E99\u1E9E-\u1EFF"
# Of the frequent characters those of texts in Latin letters; and letters to which accents are added.
BASES = r"A-Za-z\u00C6\u00D8\u00E6\u00F8\u01B7\u0292"
LATIN = ACCENTED + r"\u0001-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u2000-\u200B\u200E-\u206F"
LATIN += r"\u20A0-\u20CF\u2190-\u2BFF"

# The functions that these are in the place of.
FIRST, WORDS, TIMES = (
    load_python_file(str(Path(__file__).parent), name)
    for name in ("0012_search.py", "0015_words.py", "0028_search_times.py")
)
# Radicals of Chinese characters stand for the characters in texts of PDF files.
PARTING = WORDS.OTHERS.replace(r"\u2E00-\u3004", r"\u2E00-\u2E9E\u2EA0-\u2EF2\u2EF4-\u2EFF\u2FD6-\u3004")
JOINING = WORDS.PARTING.removesuffix(WORDS.OTHERS)
LONGEST, IN_TEXTS, CONFIGURATION = WORDS.LONGEST, WORDS.IN_TEXTS, WORDS.CONFIGURATION
APART, BEGIN, END = WORDS.APART, WORDS.BEGIN, WORDS.END
# What stands between two pairs in excerpts, which have a letter in common.
SHARED = "\x1f"
# Passages of texts without spaces have more words, as these are pairs of letters.
OPTIONS = f"""'{WORDS.OPTIONS}' || CASE WHEN strpos(shown, '{SHARED}') > 0 THEN ', MinWords=16, MaxWords=48' ELSE '' END"""


def replaced(text: str, pattern: str, by: str) -> str:
    return f"regexp_replace({text}, '{pattern}', '{by}', 'g')"


def without(text: str, *characters: str, by: str = "") -> str:
    """Return the SQL of a text with characters replaced: nine such calls are quicker than one expression."""
    for character in characters:
        text = f"replace({text}, '{character}', '{by}')"
    return text


def paired(text: str, apart: str, between: str) -> str:
    """Return the SQL of a text whose runs are set apart, and each letter of a run but the first is there twice."""
    return replaced(replaced(text, RUN, rf"{apart}\&{apart}"), NOT_FIRST, rf"\&{between}\&")


def normal(text: str) -> str:
    # NFKC takes a vowel of Thai and one of Lao apart, and gives a part of it to the letter before.
    composed = f"replace(replace(normalize({text}, NFKC), '\u0e4d\u0e32', '\u0e33'), '\u0ecd\u0eb2', '\u0eb3')"
    # And it makes some characters that part words, of ½, ŀ, and = and > with a stroke.
    composed = without(composed, *"\u2044\u00b7\u2260\u226f", by=" ")
    return WORDS.without_ends(composed)


BEGINNING = f'"left"($1, {LONGEST})'


def read(text: str, is_latin: str = "false") -> str:
    """Return the SQL of the words of a text beyond ASCII."""
    parted = replaced(text, f"[{JOINING}{PARTING}{IN_TEXTS}]+", " ")
    return f"search_letters({parted}, $1, {is_latin})"


# The comma parts the words of one phrase, whether quotation marks are around it or not.
ASKED = replaced(
    replaced("""translate($1, '“”„', repeat('"', 3))""", INVISIBLE, ""),
    f"[{JOINING}{PARTING}]|{WORDS.MINUS % f'[{JOINING}{PARTING}{WORDS.MARKS}]*'}",
    " ",
)
QUERY = f"websearch_to_tsquery({CONFIGURATION}, words)"
# The last letter of a run is a word more, which a phrase asks for if it goes on; else the last pair says it. A
# letter alone is the beginning of pairs.
EXACT = replaced(
    replaced(f"{QUERY}::text", f"(''{LETTER}{LETTER}'') <-> ''{LETTER}''(?! <)", r"\1"),
    f"(''{LETTER}'')(?!:)",
    r"\1:*",
)
LOOSE = replaced(
    # Phrases that are excluded go, and the rest of them are words.
    replaced("search_words($1)", r'-\s*("[^"]*("|$)|[^\s",]*,[^\s"]*)', " "),
    f"({LETTER}{LETTER},){LETTER}(?=,)",
    r"\1",
)
SHOWN = paired(
    WORDS.without_ends(
        replaced(
            replaced(
                f"translate(search_passage(body, words), '{APART}{BEGIN}{END}{SHARED}', '')", INVISIBLE, ""
            ),
            f"([{JOINING}{PARTING}{IN_TEXTS}])",
            rf"{APART}\1{APART}",
        ),
        rf"\1{APART}\2\3{APART}",
    ),
    APART,
    SHARED,
)
# What is marked begins and ends where pairs do: of two pairs, one of which is marked, the letter that they share
# is kept in this one.
MERGED = without(
    replaced(
        replaced(f"replace(paired, '{END}{SHARED}{BEGIN}', '{SHARED}')", f"{LETTER}{SHARED}{BEGIN}", BEGIN),
        f"{SHARED}{LETTER}",
        "",
    ),
    SHARED,
    APART,
)
# Of the pairs that begin with a letter only this was looked for, and of longer words not each of their pairs.
FIRST_ONLY = rf"regexp_replace(headline, '{BEGIN}(' || alone || ')({LETTER}){END}', '{BEGIN}\1{END}\2', 'g')"
LONG_ONLY = (
    rf"regexp_replace(merged, '{BEGIN}((?:{LETTER}){{2,' || least(fewest - 1, 255) || '}}){END}', '\1', 'g')"
)
ACCENTS = r"[\u0300-\u036F]+"
OF_LATIN = rf"regexp_replace(normalize(parted, NFKD), kept || '([{BASES}]){ACCENTS}', '\1', 'g')"
OF_ALL = f"regexp_replace(normalize(parted, NFKD), '{ACCENTS}', '', 'g')"
PART = r"''[^'']*''(?::\*)?|[^'']+"
ALONE, PAIRS = rf"''({LETTER})'':\*", rf"''{LETTER}{LETTER}''( <-> ''{LETTER}{LETTER}'')*"

FUNCTIONS = {
    # The normal form of the letters of a text whose words are parted; `raw` is the text as it was before, which is
    # known to have no characters but those of LATIN, or may have others.
    "search_composed(parted text, raw text, is_latin boolean) RETURNS text": f"""
        CASE
            WHEN is_latin THEN parted
            WHEN raw ~ '[^{STEADY}{ACCENTED}]' THEN {normal("parted")}
            ELSE parted
        END""",
    # The same without the accents of Latin letters, but for those that the expression `kept` keeps.
    "search_unaccented(parted text, raw text, is_latin boolean, kept text) RETURNS text": f"""
        CASE
            WHEN NOT is_latin THEN {normal(OF_LATIN)}
            WHEN raw ~ '[{ACCENTED}]' THEN CASE kept WHEN '' THEN {OF_ALL} ELSE normalize({OF_LATIN}, NFC) END
            ELSE parted
        END""",
    "search_letters(parted text, raw text, is_latin boolean) RETURNS text": "search_composed(parted, raw, is_latin)",
    "search_document(text) RETURNS tsvector": f"""
        to_tsvector({CONFIGURATION}, CASE
            WHEN octet_length($1) = length($1) THEN {without(BEGINNING, *JOINING, *IN_TEXTS, by=" ")}
            WHEN $1 ~ '[^{LATIN}]' THEN CASE
                WHEN $1 ~ '[{SPACELESS}]'
                THEN "left"({paired(read(replaced(BEGINNING, INVISIBLE, "")), " ", " ")}, {LONGEST})
                ELSE {read(BEGINNING)} END
            ELSE {read(BEGINNING, "true")} END)""",
    "search_words(text) RETURNS text": paired(f"search_letters({ASKED}, $1, false)", ",", ","),
    # What excludes words and asks for none would find nearly everything.
    "search_parsed(words text) RETURNS tsquery": f"""
        CASE querytree({QUERY}) WHEN 'T' THEN '' ELSE {EXACT}::tsquery END""",
    "search_query(text) RETURNS tsquery": "search_parsed(search_words($1))",
    # The words of phrases, anywhere: an index knows which words a row has, but not where they stand.
    "search_loosely(text) RETURNS tsquery": f"""search_parsed(translate({LOOSE}, '",', '  '))""",
    # A query, also with its words as a text spells them, which is shown as it is.
    "search_spelled(body text, query tsquery) RETURNS tsquery": f"""
        CASE WHEN search_letters(body, body, false) = body THEN query ELSE coalesce((
            WITH words AS MATERIALIZED (
                SELECT DISTINCT quote_literal(form) AS form, quote_literal(own) AS own
                FROM regexp_split_to_table(body, '[{WORDS.ASCII}]+') AS token,
                unnest(
                    tsvector_to_array(to_tsvector({CONFIGURATION}, search_letters(token, token, false))),
                    tsvector_to_array(to_tsvector({CONFIGURATION}, token))
                ) AS spelling (form, own)
                WHERE search_letters(token, token, false) <> token
            )
            SELECT string_agg(CASE WHEN owns IS NULL THEN part ELSE '(' || part || owns || ')' END, '' ORDER BY place)
            FROM regexp_matches(query::text, '{PART}', 'g') WITH ORDINALITY AS parts (found, place),
            LATERAL (SELECT found[1]) AS of_found (part),
            LATERAL (
                SELECT string_agg(' | ' || own, '') FROM words
                WHERE form = part OR part LIKE '%:*' AND starts_with(form, substr(part, 1, length(part) - 3))
            ) AS of_words (owns)
        )::tsquery, query) END""",
    "search_excerpt(body text, query tsquery, words text[]) RETURNS text": f"""(
        SELECT replace(replace(replace(replace(replace(replace(replace(
            CASE WHEN alone = '' AND fewest > 2 THEN {LONG_ONLY} ELSE merged END,
            '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), \'\'\'\', '&#39;'),
            '{BEGIN}', '<mark>'), '{END}', '</mark>')
        FROM (SELECT {SHOWN} OFFSET 0) AS shown (shown),
        LATERAL (
            SELECT ts_headline({CONFIGURATION}, shown, search_spelled(shown, query), {OPTIONS}),
                array_to_string(ARRAY(
                    SELECT match[1] FROM regexp_matches(query::text, '{ALONE}', 'g') AS matches (match)
                ), '|'),
                (
                    SELECT min(regexp_count(match[1], \'\'\'\') / 2 + 1)
                    FROM regexp_matches(query::text, '({PAIRS.replace("(", "(?:")})', 'g') AS matches (match)
                )
            OFFSET 0
        ) AS headlines (headline, alone, fewest),
        LATERAL (SELECT CASE alone WHEN '' THEN headline ELSE {FIRST_ONLY} END OFFSET 0) AS of_headlines (paired),
        LATERAL (SELECT {MERGED} OFFSET 0) AS of_pairs (merged)
    )""",
}
# PostgreSQL reads the functions at each plan, in half the time if characters are not escaped. The expressions of
# ASCII stay: some of it means something in them.
ESCAPED = re.compile(r"\\u(?!00[0-7])([0-9A-F]{4})|\\U([0-9A-F]{8})")
NEW = ("search_spelled(text, tsquery)", "search_parsed(text)", "search_letters(text, text, boolean)")
NEW += ("search_unaccented(text, text, boolean, text)", "search_composed(text, text, boolean)")


# All at once: statements that read several of these tables would otherwise wait for one and hold another.
LOCK = "LOCK TABLE messages, memories, knowledge_chunks IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    op.execute(LOCK)
    op.execute(TRUST)
    replace(FUNCTIONS)


def downgrade() -> None:
    query, loosely = "search_query(text) RETURNS tsquery", "search_loosely(text) RETURNS tsquery"
    replace(
        WORDS.functions(
            WORDS.without_ends(WORDS.document_of(WORDS.PARTING)),
            WORDS.without_ends(
                WORDS.words_of(WORDS.PARTING, WORDS.MINUS % f"[{WORDS.PARTING}{WORDS.MARKS}]*")
            ),
            WORDS.without_ends(WORDS.passage_of(WORDS.PARTING), rf"\1{APART}\2\3{APART}"),
        )
        | {signature: FIRST.FUNCTIONS[signature] for signature in (query, loosely)}
    )
    for signature in NEW:
        op.execute(f"DROP FUNCTION {signature}")


def replace(functions: dict[str, str]) -> None:
    for signature, body in functions.items():
        short = ESCAPED.sub(lambda escaped: chr(int(escaped[1] or escaped[2], 16)), body)
        op.execute(f"CREATE OR REPLACE FUNCTION {signature} LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {short}")
    TIMES.rebuild(", search_times(created_at)")
