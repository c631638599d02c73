// How GraphiQL asks the server: at the page's own address, with the API key.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { currentKey, judge } from "./access.js";

/** An error that GraphiQL shows as its message only. */
function refusal(message) {
  const error = new Error(message);
  error.stack = undefined;
  return error;
}

const send = (...request) =>
  fetch(...request).catch((cause) => {
    throw refusal(`The server does not answer (${cause.message}). Is it running?`);
  });

/** An Authorization header written in GraphiQL's headers editor goes before the kept key. */
async function authorizedFetch(url, { headers: given, ...options }) {
  const headers = new Headers(given);
  if (headers.has("authorization")) return send(url, { ...options, headers });

  const key = currentKey();
  if (!key) throw refusal("No API key: enter one at the top of the page.");
  headers.set("authorization", `Bearer ${key}`);
  const response = await send(url, { ...options, headers });
  if (response.ok) judge(key, "accepted");
  if (response.status !== 401) return response;
  judge(key, "refused");
  throw refusal("The server refused this API key: enter another at the top of the page.");
}

export const fetcher = createGraphiQLFetcher({ url: location.pathname, fetch: authorizedFetch });
