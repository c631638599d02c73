// Where Monaco finds its workers: files of our own origin, which a strict policy allows and a blob: is not.
// The build replaces the three names.
const files = { json: JSON_WORKER, graphql: GRAPHQL_WORKER };

globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(new URL(files[label] ?? EDITOR_WORKER, import.meta.url)),
};
