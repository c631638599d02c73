// PostGraphile as its documentation sets it up for production: the Amber preset, no GraphiQL, no explain, no watching,
// NODE_ENV=production. Connections alone (no lists beside them), and no node ids, so that rows keep their own `id`.
//
// Environment: DATABASE_URL, POOL_SIZE, SCHEMA (where the tables are), API_KEY, PROJECT_ID, and GUARDED: 1 sets role
// and project for each transaction (row-level security), 0 does not. Prints its port.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";
import { addPgTableCondition, jsonPgSmartTags } from "postgraphile/utils";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const { DATABASE_URL, POOL_SIZE, SCHEMA, API_KEY, PROJECT_ID, GUARDED } = process.env;
const projects = new Map([[`Bearer ${API_KEY}`, PROJECT_ID]]);

// The filter plugin has no operators for jsonb; a condition of one's own is what the documentation advises.
const MetadataContains = addPgTableCondition(
  { schemaName: SCHEMA, tableName: "sessions" },
  "metadataContains",
  (build) => ({ description: "The metadata contains this.", type: build.getTypeByName("JSON") }),
  (value, { sql, sqlTableAlias }) =>
    sql`${sqlTableAlias}.metadata @> ${sql.value(JSON.stringify(value))}::jsonb`,
);

// A reference of a table to itself, unique at both ends, gets the same name in both directions, which leaves the table
// and all that leads to it out of the schema. A smart tag names the way back.
const NamesOfWaysBack = jsonPgSmartTags({
  version: 1,
  config: {
    constraint: {
      [`${SCHEMA}.module_states.module_states_previous_state_id_fkey`]: { tags: { foreignFieldName: "nextModuleState" } },
      [`${SCHEMA}.memory_links.memory_links_both_ways_fkey`]: { tags: { foreignFieldName: "oppositeMemoryLink" } },
    },
  },
});

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  plugins: [MetadataContains, NamesOfWaysBack],
  disablePlugins: ["NodePlugin", "PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      schemas: [SCHEMA, "postgraphile"],
      pubsub: false,
      poolConfig: { max: Number(POOL_SIZE) },
    }),
  ],
  schema: { retryOnInitFail: false },
  grafserv: { graphiql: false, watch: false, maxRequestLength: 16_777_216 },
  grafast: {
    explain: false,
    context(request) {
      const project = projects.get(request.node?.req.headers.authorization);
      if (project === undefined) throw new Error("the API key is not known");
      return GUARDED === "1" ? { pgSettings: { role: "agentdata_app", "app.project_id": project } } : {};
    },
  },
});

if (process.argv[2] === "print") {
  const { printSchema } = await import("graphql");
  console.log(printSchema(await pgl.getSchema()));
  await pgl.release();
} else {
  const serv = pgl.createServ(grafserv);
  const server = createServer();
  await serv.addTo(server);
  await serv.ready();
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
