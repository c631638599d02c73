"""Words are letters and digits: joiners, marks and pictures are none by themselves, but a part of one.

Revision: 0015, after 0014

A family of emoji is joined by U+200D, which stands within words of Hindi as well, and PostgreSQL's parser took
it for a word where it stood alone. So what joins or marks letters is kept between letters only, and everything
else that is neither a letter nor a digit parts words. Both search indexes are built anew, which holds back
writes to `messages` and `memories` meanwhile. A million short messages took 14 s on two cores.
"""
from alembic import op
revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

# All characters of Unicode 14 beyond ASCII that are punctuation, symbols, spaces, format and control characters
# or for private use; with them marks that enclose or vary pictures, the blocks of pictures and tags as a whole,
# and what lies between such characters and belongs to nobody yet.
OTHERS = "".join((
    r"\u0080-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02EB",
    r"\u02ED\u02EF-\u02FF\u0375\u037E\u0384\u0385\u0387\u03F6\u0482\u0488\u0489\u055A-\u055F\u0589-\u058F\u05BE",
    r"\u05C0\u05C3\u05C6\u05F3-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u06DD\u06DE\u06E9\u06FD\u06FE\u0700-\u070F",
    r"\u07F6-\u07F9\u07FE\u07FF\u0830-\u083E\u085E\u0888\u0890\u0891\u08E2\u0964\u0965\u0970\u09F2\u09F3\u09FA",
    r"\u09FB\u09FD\u0A76\u0AF0\u0AF1\u0B70\u0BF3-\u0BFA\u0C77\u0C7F\u0C84\u0D4F\u0D79\u0DF4\u0E3F\u0E4F\u0E5A",
    r"\u0E5B\u0F01-\u0F17\u0F1A-\u0F1F\u0F34\u0F36\u0F38\u0F3A-\u0F3D\u0F85\u0FBE-\u0FC5\u0FC7-\u0FDA\u104A-\u104F",
    r"\u109E\u109F\u10FB\u1360-\u1368\u1390-\u1399\u1400\u166D\u166E\u1680\u169B\u169C\u16EB-\u16ED\u1735\u1736",
    r"\u17D4-\u17D6\u17D8-\u17DB\u1800-\u180A\u1940-\u1945\u19DE-\u19FF\u1A1E\u1A1F\u1AA0-\u1AA6\u1AA8-\u1AAD",
    r"\u1ABE\u1B5A-\u1B6A\u1B74-\u1B7E\u1BFC-\u1BFF\u1C3B-\u1C3F\u1C7E\u1C7F\u1CC0-\u1CC7\u1CD3\u1FBD\u1FBF-\u1FC1",
    r"\u1FCD-\u1FCF\u1FDD-\u1FDF\u1FED-\u1FEF\u1FFD-\u200B\u200E-\u206F\u207A-\u207E\u208A-\u208E\u20A0-\u2101",
    r"\u2103-\u2106\u2108\u2109\u2114\u2116-\u2118\u211E-\u2123\u2125\u2127\u2129\u212E\u213A\u213B\u2140-\u2144",
    r"\u214A-\u214D\u214F\u218A-\u2BFF\u2CE5-\u2CEA\u2CF9-\u2CFC\u2CFE\u2CFF\u2D70\u2E00-\u3004\u3008-\u3020\u3030",
    r"\u3036\u3037\u303D-\u303F\u309B\u309C\u30A0\u30FB\u3190\u3191\u3196-\u319F\u31C0-\u31E3\u3200-\u321E",
    r"\u322A-\u3247\u3250\u3260-\u327F\u328A-\u32B0\u32C0-\u33FF\u4DC0-\u4DFF\uA490-\uA4C6\uA4FE\uA4FF",
    r"\uA60D-\uA60F\uA670-\uA673\uA67E\uA6F2-\uA716\uA720\uA721\uA789\uA78A\uA828-\uA82B\uA836-\uA839\uA874-\uA877",
    r"\uA8CE\uA8CF\uA8F8-\uA8FA\uA8FC\uA92E\uA92F\uA95F\uA9C1-\uA9CD\uA9DE\uA9DF\uAA5C-\uAA5F\uAA77-\uAA79\uAADE",
    r"\uAADF\uAAF0\uAAF1\uAB5B\uAB6A\uAB6B\uABEB\uE000-\uF8FF\uFB29\uFBB2-\uFBC2\uFD3E-\uFD4F\uFDCF\uFDFC-\uFE1F",
    r"\uFE30-\uFE6F\uFEFF-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFFD\U00010100-\U00010102",
    r"\U00010137-\U0001013F\U00010179-\U00010189\U0001018C-\U000101FC\U0001039F\U000103D0\U0001056F\U00010857",
    r"\U00010877\U00010878\U0001091F\U0001093F\U00010A50-\U00010A58\U00010A7F\U00010AC8\U00010AF0-\U00010AF6",
    r"\U00010B39-\U00010B3F\U00010B99-\U00010B9C\U00010EAD\U00010F55-\U00010F59\U00010F86-\U00010F89",
    r"\U00011047-\U0001104D\U000110BB-\U000110C1\U000110CD\U00011140-\U00011143\U00011174\U00011175",
    r"\U000111C5-\U000111C8\U000111CD\U000111DB\U000111DD-\U000111DF\U00011238-\U0001123D\U000112A9",
    r"\U0001144B-\U0001144F\U0001145A-\U0001145D\U000114C6\U000115C1-\U000115D7\U00011641-\U00011643",
    r"\U00011660-\U0001166C\U000116B9\U0001173C-\U0001173F\U0001183B\U00011944-\U00011946\U000119E2",
    r"\U00011A3F-\U00011A46\U00011A9A-\U00011A9C\U00011A9E-\U00011AA2\U00011C41-\U00011C45\U00011C70\U00011C71",
    r"\U00011EF7\U00011EF8\U00011FD5-\U00011FFF\U00012470-\U00012474\U00012FF1\U00012FF2\U00013430-\U00013438",
    r"\U00016A6E\U00016A6F\U00016AF5\U00016B37-\U00016B3F\U00016B44\U00016B45\U00016E97-\U00016E9A\U00016FE2",
    r"\U0001BC9C\U0001BC9F-\U0001BCA3\U0001CF50-\U0001D164\U0001D16A-\U0001D16C\U0001D173-\U0001D17A\U0001D183",
    r"\U0001D184\U0001D18C-\U0001D1A9\U0001D1AE-\U0001D241\U0001D245\U0001D300-\U0001D356\U0001D6C1\U0001D6DB",
    r"\U0001D6FB\U0001D715\U0001D735\U0001D74F\U0001D76F\U0001D789\U0001D7A9\U0001D7C3\U0001D800-\U0001D9FF",
    r"\U0001DA37-\U0001DA3A\U0001DA6D-\U0001DA74\U0001DA76-\U0001DA83\U0001DA85-\U0001DA8B\U0001E14F\U0001E2FF",
    r"\U0001E95E\U0001E95F\U0001ECAC\U0001ECB0\U0001ED2E\U0001EEF0-\U0001FBCA\U000E0000-\U0010FFFF",
))
# What stands within words and is no part of them at their ends: the joiners of Persian and Indic scripts (U+200C,
# U+200D), the grapheme joiner, and the fillers and selectors of Hangul, Khmer and Mongolian.
JOINERS = r"\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200C\u200D\u3164\uFFA0"
# Those, and all marks: a mark belongs to the letter before it, and says nothing where there is none.
MARKS = "".join((
    r"\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u064B-\u065F\u0670",
    r"\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD",
    r"\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0898-\u089F\u08CA-\u08E1\u08E3-\u0903",
    r"\u093A-\u093C\u093E-\u094F\u0951-\u0957\u0962\u0963\u0981-\u0983\u09BC\u09BE-\u09CD\u09D7\u09E2\u09E3",
    r"\u09FE-\u0A03\u0A3C-\u0A51\u0A70\u0A71\u0A75\u0A81-\u0A83\u0ABC\u0ABE-\u0ACD\u0AE2\u0AE3\u0AFA-\u0B03\u0B3C",
    r"\u0B3E-\u0B57\u0B62\u0B63\u0B82\u0BBE-\u0BCD\u0BD7\u0C00-\u0C04\u0C3C\u0C3E-\u0C56\u0C62\u0C63\u0C81-\u0C83",
    r"\u0CBC\u0CBE-\u0CD6\u0CE2\u0CE3\u0D00-\u0D03\u0D3B\u0D3C\u0D3E-\u0D4D\u0D57\u0D62\u0D63\u0D81-\u0D83",
    r"\u0DCA-\u0DDF\u0DF2\u0DF3\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECD\u0F18\u0F19\u0F35",
    r"\u0F37\u0F39\u0F3E\u0F3F\u0F71-\u0F84\u0F86\u0F87\u0F8D-\u0FBC\u0FC6\u102B-\u103E\u1056-\u1059\u105E-\u1060",
    r"\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u115F\u1160\u135D-\u135F",
    r"\u1712-\u1715\u1732-\u1734\u1752\u1753\u1772\u1773\u17B4-\u17D3\u17DD\u180B-\u180F\u1885\u1886\u18A9",
    r"\u1920-\u193B\u1A17-\u1A1B\u1A55-\u1A7F\u1AB0-\u1ABD\u1ABF-\u1B04\u1B34-\u1B44\u1B6B-\u1B73\u1B80-\u1B82",
    r"\u1BA1-\u1BAD\u1BE6-\u1BF3\u1C24-\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE8\u1CED\u1CF4\u1CF7-\u1CF9\u1DC0-\u1DFF",
    r"\u200C\u200D\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302F\u3099\u309A\u3164\uA66F\uA674-\uA67D\uA69E\uA69F",
    r"\uA6F0\uA6F1\uA802\uA806\uA80B\uA823-\uA827\uA82C\uA880\uA881\uA8B4-\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D",
    r"\uA947-\uA953\uA980-\uA983\uA9B3-\uA9C0\uA9E5\uAA29-\uAA36\uAA43\uAA4C\uAA4D\uAA7B-\uAA7D\uAAB0\uAAB2-\uAAB4",
    r"\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEB-\uAAEF\uAAF5\uAAF6\uABE3-\uABEA\uABEC\uABED\uFB1E\uFE20-\uFE2F\uFFA0",
    r"\U000101FD\U000102E0\U00010376-\U0001037A\U00010A01-\U00010A0F\U00010A38-\U00010A3F\U00010AE5\U00010AE6",
    r"\U00010D24-\U00010D27\U00010EAB\U00010EAC\U00010F46-\U00010F50\U00010F82-\U00010F85\U00011000-\U00011002",
    r"\U00011038-\U00011046\U00011070\U00011073\U00011074\U0001107F-\U00011082\U000110B0-\U000110BA\U000110C2",
    r"\U00011100-\U00011102\U00011127-\U00011134\U00011145\U00011146\U00011173\U00011180-\U00011182",
    r"\U000111B3-\U000111C0\U000111C9-\U000111CC\U000111CE\U000111CF\U0001122C-\U00011237\U0001123E",
    r"\U000112DF-\U000112EA\U00011300-\U00011303\U0001133B\U0001133C\U0001133E-\U0001134D\U00011357",
    r"\U00011362-\U00011374\U00011435-\U00011446\U0001145E\U000114B0-\U000114C3\U000115AF-\U000115C0\U000115DC",
    r"\U000115DD\U00011630-\U00011640\U000116AB-\U000116B7\U0001171D-\U0001172B\U0001182C-\U0001183A",
    r"\U00011930-\U0001193E\U00011940\U00011942\U00011943\U000119D1-\U000119E0\U000119E4\U00011A01-\U00011A0A",
    r"\U00011A33-\U00011A39\U00011A3B-\U00011A3E\U00011A47\U00011A51-\U00011A5B\U00011A8A-\U00011A99",
    r"\U00011C2F-\U00011C3F\U00011C92-\U00011CB6\U00011D31-\U00011D45\U00011D47\U00011D8A-\U00011D97",
    r"\U00011EF3-\U00011EF6\U00016AF0-\U00016AF4\U00016B30-\U00016B36\U00016F4F\U00016F51-\U00016F92",
    r"\U00016FE4-\U00016FF1\U0001BC9D\U0001BC9E\U0001CF00-\U0001CF46\U0001D165-\U0001D169\U0001D16D-\U0001D172",
    r"\U0001D17B-\U0001D182\U0001D185-\U0001D18B\U0001D1AA-\U0001D1AD\U0001D242-\U0001D244\U0001DA00-\U0001DA36",
    r"\U0001DA3B-\U0001DA6C\U0001DA75\U0001DA84\U0001DA9B-\U0001DAAF\U0001E000-\U0001E02A\U0001E130-\U0001E136",
    r"\U0001E2AE\U0001E2EC-\U0001E2EF\U0001E8D0-\U0001E8D6\U0001E944-\U0001E94A",
))
# Of ASCII what the parser joins words by. The rest of ASCII always parts them.
PARTING = "<&/.@+" + OTHERS
ASCII = r"\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007F"
# In a text of which all but ASCII is words, joiners and marks: those that stand at an end of a word, or alone.
AT_ENDS = f"(^|[{ASCII}])([{MARKS}]+)|([{JOINERS}]+)(?=$|[{ASCII}])"

# See 0012, whose functions these are in the place of.
PARTING_BEFORE = "<&/.@+" + "".join((
    r"\u0080-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7",
    r"\u037E\u0387\u055A-\u055F\u0589\u05BE\u05C0\u05C3\u060C\u061B\u061F\u066A-\u066D\u06D4\u0964\u0965",
    r"\u1680\u2000-\u200B\u200E-\u206F\u20A0-\u20CF\u2190-\u2BFF\u2E00-\u2E7F",
    r"\u3000-\u3004\u3008-\u3020\u3030\u30FB\uE000-\uF8FF\uFE00-\uFE1F\uFE30-\uFE6F\uFEFF",
    r"\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFF9-\uFFFD\U0001F000-\U0001FAFF",
))
LONGEST = 50_000
APART, BEGIN, END = "\x1e", "\x02", "\x03"
IN_TEXTS = "_-"
CONFIGURATION = "'agentdata_search'::regconfig"
OPTIONS = f'StartSel={BEGIN}, StopSel={END}, MaxFragments=2, MinWords=8, MaxWords=24, ShortWord=0, FragmentDelimiter=" … "'
# In a query a minus in front of a word or a phrase excludes it. One behind something or within a phrase, before
# which there is an odd number of quotes, parts words; so does one in front of nothing, or of what is no word.
MINUS = r'(?<=\S)-|(?<=^[^"]*("[^"]*"[^"]*)*"[^"]*)-|-(?=%s([\s-]|$))'


def without_ends(text: str, apart: str = r"\1 ") -> str:
    return f"regexp_replace({text}, '{AT_ENDS}', '{apart}', 'g')"


def functions(document: str, words: str, apart: str) -> dict[str, str]:
    """Return the bodies of the search functions by their signatures."""
    return {
        "search_document(text) RETURNS tsvector": f"to_tsvector({CONFIGURATION}, {document})",
        "search_words(text) RETURNS text": words,
        "search_excerpt(body text, query tsquery, words text[]) RETURNS text": f"""
            replace(replace(replace(replace(replace(replace(replace(replace(
                ts_headline({CONFIGURATION}, {apart}, query, '{OPTIONS}'),
                '{APART}', ''), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;'),
                '{BEGIN}', '<mark>'), '{END}', '</mark>')""",
    }


def document_of(parting: str) -> str:
    return f"""regexp_replace("left"($1, {LONGEST}), '[{parting}{IN_TEXTS}]+', ' ', 'g')"""


def words_of(parting: str, minus: str) -> str:
    return f"""regexp_replace(translate($1, '“”„', repeat('"', 3)), '[{parting}]|{minus}', ' ', 'g')"""


def passage_of(parting: str) -> str:
    return f"""regexp_replace(translate(search_passage(body, words), '{APART}{BEGIN}{END}', ''),
        '([{parting}{IN_TEXTS}])', '{APART}\\1{APART}', 'g')"""


def upgrade() -> None:
    replace(functions(
        without_ends(document_of(PARTING)),
        without_ends(words_of(PARTING, MINUS % f"[{PARTING}{MARKS}]*")),
        without_ends(passage_of(PARTING), rf"\1{APART}\2\3{APART}"),
    ))


def downgrade() -> None:
    replace(functions(
        document_of(PARTING_BEFORE),
        words_of(PARTING_BEFORE, MINUS % ""),
        passage_of(PARTING_BEFORE),
    ))


def replace(functions: dict[str, str]) -> None:
    for signature, body in functions.items():
        op.execute(f"CREATE OR REPLACE FUNCTION {signature} LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {body}")
    # REINDEX would use the functions as they were, if another migration rebuilt the indexes in this transaction.
    for table, columns in (("messages", "content"), ("memories", "name, description, content")):
        op.execute(f"DROP INDEX {table}_search_idx")
        op.execute(
            f"CREATE INDEX {table}_search_idx ON {table}"
            f" USING gin (search_document({columns}), (ARRAY[project_id]))"
        )
