-- What PostGraphile's core has no field for: written as its documentation advises, as functions in a schema of
-- their own. The tables and their indexes are those of the migrations.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS postgraphile CASCADE;
CREATE SCHEMA postgraphile;
GRANT USAGE ON SCHEMA postgraphile TO agentdata_app;

-- Every session of a tree with its totals, in one statement: a computed column would run once for each session.
-- It joins nothing, because PostgreSQL expects a tree to have one session, and would join by nested loops.
CREATE FUNCTION postgraphile.session_tree_nodes(project uuid, root uuid)
RETURNS TABLE (
    id uuid, title text, status text, depth int, parent_id uuid, started_at timestamptz, message_count int,
    tree_session_count int, tree_max_depth int, tree_message_count int, tree_prompt_tokens int,
    tree_completion_tokens int, tree_cost_usd float8, tree_error_count int, tree_duration_ms float8
)
LANGUAGE sql STABLE AS $$
    WITH mine AS MATERIALIZED (
        SELECT s.*, (
            SELECT count(*) FROM tool_calls AS c
            WHERE c.project_id = project AND c.session_id = s.id AND c.status = 'FAILED'
        ) + (
            SELECT count(*) FROM session_events AS e
            WHERE e.project_id = project AND e.session_id = s.id AND e.event_type = 'error'
        ) AS errors
        FROM sessions AS s WHERE s.project_id = project AND s.root_id = root
    ), totals AS (
        SELECT above.id, max(m.title) FILTER (WHERE m.id = above.id) AS title,
            max(m.status) FILTER (WHERE m.id = above.id) AS status,
            max(m.depth) FILTER (WHERE m.id = above.id) AS own_depth,
            (array_agg(m.parent_id) FILTER (WHERE m.id = above.id))[1] AS parent_id,
            max(m.started_at) FILTER (WHERE m.id = above.id) AS started_at,
            max(m.message_count) FILTER (WHERE m.id = above.id) AS message_count,
            count(*) AS sessions, max(m.depth) AS depth, sum(m.message_count) AS messages, sum(m.prompt_tokens) AS prompt, sum(m.completion_tokens) AS completion,
            coalesce(sum(m.cost_usd), 0) AS cost, sum(m.errors) AS errors,
            max(coalesce(m.ended_at, now())) - min(m.started_at) AS duration
        FROM mine AS m CROSS JOIN LATERAL unnest(array_append(m.ancestor_ids, m.id)) AS above (id)
        GROUP BY above.id
    )
    SELECT id, title, status, own_depth, parent_id, started_at, message_count, sessions, depth, messages, prompt,
        completion, cost, errors, extract(epoch FROM duration) * 1000
    FROM totals
    ORDER BY started_at, id
$$;

-- The hours of an agent's metrics, each read by the index.
CREATE FUNCTION postgraphile.agent_series(
    project uuid, agent uuid, type text, since timestamptz, until timestamptz
)
RETURNS TABLE (
    start timestamptz, count int, sum float8, mean float8, min float8, max float8, p50 float8, p95 float8, p99 float8
)
LANGUAGE sql STABLE AS $$
    SELECT hour, m.*
    FROM generate_series(since, until - interval '1 hour', interval '1 hour') AS hour
    CROSS JOIN LATERAL (
        SELECT count(*)::int, coalesce(sum(metric_value), 0), avg(metric_value), min(metric_value), max(metric_value),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY metric_value),
            percentile_cont(0.95) WITHIN GROUP (ORDER BY metric_value),
            percentile_cont(0.99) WITHIN GROUP (ORDER BY metric_value)
        FROM agent_metrics AS m
        WHERE m.project_id = project AND m.agent_id = agent AND m.metric_type = type
            AND m.timestamp >= hour AND m.timestamp < hour + interval '1 hour'
    ) AS m
$$;

-- Messages appended under the session's lock, with its counts: what createMessage leaves to the client.
CREATE FUNCTION postgraphile.append_messages(project uuid, session uuid, items jsonb)
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
        WHERE s.project_id = project AND s.id = session
        RETURNING s.*
    )
    INSERT INTO messages (project_id, id, session_id, sequence, role, content, metadata, user_id, agent_id)
    SELECT grown.project_id, given.id, grown.id, grown.last_sequence - jsonb_array_length(items) + place, role, content,
        given.metadata, CASE role WHEN 'USER' THEN user_id END, CASE role WHEN 'ASSISTANT' THEN agent_id END
    FROM grown CROSS JOIN given
    ORDER BY place
    RETURNING *
$$;
