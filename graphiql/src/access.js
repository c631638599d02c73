// The API key that the page uses, kept in this browser, and what the server last said of it.
import { useSyncExternalStore } from "react";

// Under GraphiQL's own prefix, so that "Clear data" in its settings forgets the key too.
const NAME = "graphiql:agentdata-api-key";
const listeners = new Set();

const stored = localStorage.getItem(NAME) ?? "";
/** state: "missing", "unknown" until the server has answered, then "accepted" or "refused". */
let access = { key: stored, state: stored ? "unknown" : "missing" };

function set(next) {
  access = next;
  for (const listener of listeners) listener();
}

export const currentKey = () => access.key;

export function keepKey(key) {
  if (key) localStorage.setItem(NAME, key);
  else localStorage.removeItem(NAME);
  set({ key, state: key ? "unknown" : "missing" });
}

/** Records the server's verdict on a key, unless another key has taken its place meanwhile. */
export function judge(key, state) {
  if (key === access.key && state !== access.state) set({ key, state });
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useAccess = () => useSyncExternalStore(subscribe, () => access);
