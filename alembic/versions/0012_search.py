"""Search by text: how words are read out of texts, and indexes of those of messages and memories.

Revision: 0012, after 0011

The text search configuration `agentdata_search` says what becomes of a word; `agentdata search-language`
changes it. PostgreSQL's parser takes `src/app.py`, `ann@example.com`, `and/or` and `<name>` for one thing
each, by which the words in them are not found, or for nothing; and where the database's character type is C,
as in the embedded one, it takes all but ASCII for letters, quotation marks and dashes too. So what is no part
of a word is set apart before the parser reads a text.
"""
import sqlalchemy as sa
from alembic import op
revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

# See 0002: what row-level security keeps from indexes unless a superuser vouches for it.
TRUSTED = (
    '"left"(text, integer)',
    "regexp_replace(text, text, text, text)",
    'setweight(tsvector, "char")',
    "to_tsvector(regconfig, text)",
    "ts_match_vq(tsvector, tsquery)",
    "tsvector_concat(tsvector, tsvector)",
)
TRUST = f"""
DO $$ BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        {" ".join(f"ALTER FUNCTION pg_catalog.{function} LEAKPROOF;" for function in TRUSTED)}
    END IF;
END $$
"""

# How many characters of a text are read. Whatever they are, their words fit into a tsvector, which holds 1 MB,
# and so do those of a memory's description and content together.
LONGEST = 50_000
# How many characters an excerpt is chosen from.
PASSAGE = 3_000

# Of ASCII what the parser joins words by; the rest of it always parts them. Of Unicode punctuation, spaces,
# symbols and pictures, but not the joiners U+200C and U+200D, which stand within words.
PARTING = "<&/.@+" + "".join((
    r"\u0080-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7",
    r"\u037E\u0387\u055A-\u055F\u0589\u05BE\u05C0\u05C3\u060C\u061B\u061F\u066A-\u066D\u06D4\u0964\u0965",
    r"\u1680\u2000-\u200B\u200E-\u206F\u20A0-\u20CF\u2190-\u2BFF\u2E00-\u2E7F",
    r"\u3000-\u3004\u3008-\u3020\u3030\u30FB\uE000-\uF8FF\uFE00-\uFE1F\uFE30-\uFE6F\uFEFF",
    r"\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFF9-\uFFFD\U0001F000-\U0001FAFF",
))
# What sets apart in excerpts, and what stands around a word that was found until the rest is safe as HTML.
APART, BEGIN, END = "\x1e", "\x02", "\x03"
# What parts words in a text, while in a query it means something. `_` always parts them, but the parser looks
# ahead at each word for what could be a host with it, which takes 10 s for 50,000 characters of a_b_c_d.
IN_TEXTS = "_-"
CONFIGURATION = "'agentdata_search'::regconfig"
OPTIONS = f'StartSel={BEGIN}, StopSel={END}, MaxFragments=2, MinWords=8, MaxWords=24, ShortWord=0, FragmentDelimiter=" … "'

# Each is one expression, which PostgreSQL puts in the place of its call. Its parts are bound when it is made:
# they are the same whatever `search_path` is, such as the empty one of pg_restore. Where one parameter has a
# name all have: pg_dump writes one without as "", which cannot be restored.
FUNCTIONS = {
    "search_document(text) RETURNS tsvector": f"""
        to_tsvector({CONFIGURATION}, regexp_replace("left"($1, {LONGEST}), '[{PARTING}{IN_TEXTS}]+', ' ', 'g'))""",
    # COALESCE would do, but row-level security keeps it from indexes, and nobody can vouch for it.
    "search_document(name text, description text, content text) RETURNS tsvector": """
        setweight(search_document(CASE WHEN name IS NULL THEN '' ELSE name END), 'A')
        || setweight(search_document(CASE WHEN description IS NULL THEN '' ELSE description END), 'B')
        || search_document(content)""",
    # A minus in front of a word or a phrase excludes it; any other parts words, as in a document: one behind
    # something or in front of nothing, and one within a phrase, before which there is an odd number of quotes.
    "search_words(text) RETURNS text": rf"""
        regexp_replace(translate($1, '“”„', repeat('"', 3)),
            '[{PARTING}]|(?<=\S)-|-(?=[\s-]|$)|(?<=^[^"]*("[^"]*"[^"]*)*"[^"]*)-', ' ', 'g')""",
    # What excludes words and asks for none would find nearly everything.
    "search_query(text) RETURNS tsquery": f"""
        CASE querytree(websearch_to_tsquery({CONFIGURATION}, search_words($1))) WHEN 'T' THEN ''
        ELSE websearch_to_tsquery({CONFIGURATION}, search_words($1)) END""",
    # The words of phrases, anywhere: an index knows which words a row has, but not where they stand.
    "search_loosely(text) RETURNS tsquery": """
        search_query(translate(regexp_replace(search_words($1), '-"[^"]*("|$)', ' ', 'g'), '"', ' '))""",
    # Of a long text the passage with most of the words. What ts_headline takes grows with the square of how
    # often they are there: 7 s for 50,000 characters that say nothing else, some milliseconds for these.
    "search_passage(body text, words text[]) RETURNS text": f"""
        CASE WHEN length(body) <= {PASSAGE} THEN body ELSE (
            SELECT substr(body, place, {PASSAGE})
            FROM generate_series(1, least(length(body), {LONGEST}), {PASSAGE - 500}) AS place
            ORDER BY (
                SELECT count(*)
                FROM unnest(tsvector_to_array(search_document(substr(body, place, {PASSAGE})))) AS word
                WHERE word IN (SELECT unnest(words))
            ) DESC, place LIMIT 1
        ) END""",
    # What is looked for is given as it was read, and its words: to read it for each text would take longer.
    "search_excerpt(body text, query tsquery, words text[]) RETURNS text": f"""
        replace(replace(replace(replace(replace(replace(replace(replace(
            ts_headline({CONFIGURATION}, regexp_replace(
                translate(search_passage(body, words), '{APART}{BEGIN}{END}', ''),
                '([{PARTING}{IN_TEXTS}])', '{APART}\\1{APART}', 'g'), query, '{OPTIONS}'),
            '{APART}', ''), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;'),
            '{BEGIN}', '<mark>'), '{END}', '</mark>')""",
}


def upgrade() -> None:
    op.execute(TRUST)
    op.execute("CREATE TEXT SEARCH CONFIGURATION agentdata_search (COPY = pg_catalog.simple)")
    for signature, body in FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {signature} LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {body}")
    op.create_index('messages_search_idx', 'messages', [sa.literal_column('search_document(content)'), sa.literal_column('(ARRAY[project_id])')], postgresql_using='gin')
    op.create_index('memories_search_idx', 'memories', [sa.literal_column('search_document(name, description, content)'), sa.literal_column('(ARRAY[project_id])')], postgresql_using='gin')


def downgrade() -> None:
    op.drop_index('memories_search_idx', table_name='memories')
    op.drop_index('messages_search_idx', table_name='messages')
    for signature in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {signature.partition(' RETURNS')[0]}")
    op.execute("DROP TEXT SEARCH CONFIGURATION agentdata_search")
    # What `agentdata search-language` made.
    op.execute("""
        DO $$ DECLARE name regdictionary; BEGIN
            FOR name IN SELECT oid FROM pg_ts_dict WHERE dictname LIKE 'agentdata\\_search\\_%'
            LOOP EXECUTE format('DROP TEXT SEARCH DICTIONARY %s', name); END LOOP;
        END $$
    """)
