-- What PostGraphile's core has no field for: written as its documentation advises, as functions in a schema of
-- their own. The tables and their indexes are those of the migrations.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS postgraphile CASCADE;
CREATE SCHEMA postgraphile;
GRANT USAGE ON SCHEMA postgraphile TO agentdata_app;

-- Every session of a tree with its totals, in one statement: a computed column would run once for each session.
CREATE FUNCTION postgraphile.session_tree_nodes(root uuid)
RETURNS TABLE (
    id uuid, title text, status text, depth int, parent_id uuid, started_at timestamptz, message_count int,
    tree_session_count int, tree_max_depth int, tree_message_count int, tree_prompt_tokens int,
    tree_completion_tokens int, tree_cost_usd float8, tree_error_count int, tree_duration_ms float8
)
LANGUAGE sql STABLE AS $$
    WITH failed AS (
        SELECT c.session_id, count(*) AS errors FROM tool_calls AS c
        WHERE c.status = 'FAILED' AND c.session_id IN (SELECT s.id FROM sessions AS s WHERE s.root_id = root)
        GROUP BY c.session_id
    ), totals AS (
        SELECT above.id, count(*) AS sessions, max(s.depth) AS depth, sum(s.message_count) AS messages,
            sum(s.prompt_tokens) AS prompt, sum(s.completion_tokens) AS completion, sum(s.cost_usd) AS cost,
            coalesce(sum(f.errors), 0) AS errors, max(coalesce(s.ended_at, now())) - min(s.started_at) AS duration
        FROM sessions AS s
        CROSS JOIN LATERAL unnest(array_append(s.ancestor_ids, s.id)) AS above (id)
        LEFT JOIN failed AS f ON f.session_id = s.id
        WHERE s.root_id = root
        GROUP BY above.id
    )
    SELECT s.id, s.title, s.status, s.depth, s.parent_id, s.started_at, s.message_count, t.sessions, t.depth,
        t.messages, t.prompt, t.completion, t.cost, t.errors, extract(epoch FROM t.duration) * 1000
    FROM sessions AS s JOIN totals AS t ON t.id = s.id
    WHERE s.root_id = root
    ORDER BY s.started_at, s.id
$$;

-- Messages appended under the session's lock, with its counts: what createMessage leaves to the client.
CREATE FUNCTION postgraphile.append_messages(session uuid, items jsonb)
RETURNS SETOF messages
LANGUAGE sql VOLATILE AS $$
    WITH given AS (
        SELECT (item ->> 'id')::uuid AS id, place, item ->> 'role' AS role, item ->> 'content' AS content,
            item -> 'metadata' AS metadata
        FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, place)
    ), grown AS (
        UPDATE sessions AS s
        SET message_count = s.message_count + jsonb_array_length(items),
            last_sequence = s.last_sequence + jsonb_array_length(items),
            interaction_count = s.interaction_count + (SELECT count(*) FROM given WHERE given.role = 'USER'),
            last_activity_at = greatest(s.last_activity_at, clock_timestamp()), updated_at = clock_timestamp()
        WHERE s.id = session
        RETURNING s.*
    )
    INSERT INTO messages (project_id, id, session_id, sequence, role, content, metadata, user_id, agent_id)
    SELECT grown.project_id, given.id, grown.id, grown.last_sequence - jsonb_array_length(items) + place, role, content,
        given.metadata, CASE role WHEN 'USER' THEN user_id END, CASE role WHEN 'ASSISTANT' THEN agent_id END
    FROM grown CROSS JOIN given
    ORDER BY place
    RETURNING *
$$;
