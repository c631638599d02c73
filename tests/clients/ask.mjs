// Asks a query several times with one client; prints the requests that it sent, and what it gave, as JSON.
import { createHash } from "node:crypto";
import { parse } from "graphql";

const { client: name, url, key, query, times = 1, options = {}, id, incremental } = JSON.parse(process.argv[2]);
const requests = [];

async function recordingFetch(address, init) {
  const method = init.method ?? "GET";
  const sent = method === "GET" ? Object.fromEntries(new URL(address).searchParams) : JSON.parse(init.body);
  const extensions = typeof sent.extensions === "string" ? JSON.parse(sent.extensions) : sent.extensions;
  const response = await fetch(address, init);
  requests.push({
    method,
    query: Boolean(sent.query),
    hash: Boolean(extensions?.persistedQuery?.sha256Hash),
    status: response.status,
  });
  return response;
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const headers = { authorization: `Bearer ${key}` };

const clients = {
  async apollo() {
    const { ApolloClient, ApolloLink, HttpLink, InMemoryCache } = await import("@apollo/client");
    const { PersistedQueryLink } = await import("@apollo/client/link/persisted-queries");
    const handlers = await import("@apollo/client/incremental");
    const named = id === undefined ? { sha256 } : { generateHash: () => id };
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      ...(incremental ? { incrementalHandler: new handlers[incremental]() } : {}),
      link: ApolloLink.from([
        new PersistedQueryLink({ ...named, ...options }),
        new HttpLink({ uri: url, headers, fetch: recordingFetch }),
      ]),
    });
    const document = parse(query);
    return async () => {
      const { data, error } = await client.query({
        query: document, fetchPolicy: "no-cache", errorPolicy: "all",
      });
      return {
        data: data ?? null,
        error: error?.name ?? null,
        codes: error?.errors?.map((e) => e.extensions.code),
        messages: error?.errors?.map((e) => e.message),
      };
    };
  },
  async urql() {
    const { Client, fetchExchange } = await import("@urql/core");
    const { persistedExchange } = await import("@urql/exchange-persisted");
    const client = new Client({
      url,
      fetch: recordingFetch,
      fetchOptions: { headers },
      preferGetMethod: false,
      exchanges: [persistedExchange(options), fetchExchange],
    });
    return async () => {
      const { data, error } = await client.query(query, {}, { requestPolicy: "network-only" }).toPromise();
      return {
        data: data ?? null,
        error: error?.name ?? null,
        codes: error?.graphQLErrors.map((e) => e.extensions.code),
      };
    };
  },
};

const ask = await clients[name]();
const answers = [];
for (let i = 0; i < times; i += 1) answers.push(await ask());
console.log(JSON.stringify({ requests, answers }));
