import { useEffect, useRef } from "react";
import { GraphiQL } from "graphiql";
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useAccess } from "./access.js";
import { fetcher } from "./fetcher.js";
import { KeyField, KeyNotice } from "./key.jsx";
import welcome from "./welcome.graphql";

/** Fetches the schema again when the key changes; GraphiQL itself does so only when it opens. */
function SchemaOfKey() {
  const { key } = useAccess();
  const { introspect } = useGraphiQLActions();
  const last = useRef(key);
  useEffect(() => {
    if (last.current !== key) introspect();
    last.current = key;
  }, [key, introspect]);
  return null;
}

/** Has the editors change with the system's theme while the page is open, as the style sheet does. */
function SystemTheme() {
  const forced = useGraphiQL(({ theme }) => theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    if (forced) return undefined;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setTheme(null);
    dark.addEventListener("change", follow);
    return () => dark.removeEventListener("change", follow);
  }, [forced, setTheme]);
  return null;
}

export function Page() {
  return (
    <>
      <header className="bar">
        <h1>
          <img src={document.querySelector("link[rel=icon]").href} alt="" /> agentdata
        </h1>
        <KeyField />
      </header>
      <KeyNotice />
      <main>
        <GraphiQL fetcher={fetcher} defaultQuery={welcome} inputValueDeprecation schemaDescription>
          <SchemaOfKey />
          <SystemTheme />
        </GraphiQL>
      </main>
    </>
  );
}
