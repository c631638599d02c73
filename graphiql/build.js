// Bundles the page into agentdata/graphiql: index.html, and in assets/ everything that it loads.
// Every asset carries a hash of its content in its name, because the server has browsers keep it for ever.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";

const target = path.join(import.meta.dirname, "../agentdata/graphiql");
const assets = path.join(target, "assets");

const modules = path.join(import.meta.dirname, "node_modules");

/** Packages that leave out their licence file, and one of the same repository that has it. */
const licenceFrom = {
  "@graphiql/plugin-doc-explorer": "graphiql",
  "@graphiql/plugin-history": "graphiql",
  "react-compiler-runtime": "react",
  "react-remove-scroll-bar": "react-remove-scroll",
};

const common = {
  absWorkingDir: import.meta.dirname,
  outdir: assets,
  bundle: true,
  minify: true,
  metafile: true,
  charset: "utf8",
  target: "es2022",
  legalComments: "none", // licences() gathers the whole texts
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".ttf": "file", ".woff2": "file", ".graphql": "text" },
  logLevel: "warning",
};

/** The file name of the one output that was made from the given entry point. */
function nameOf(metafile, entryPoint) {
  const [name] = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entryPoint);
  return path.basename(name);
}

/** The packages whose files the bundle holds, as paths from node_modules, sorted. */
function packagesIn(metafiles) {
  const packages = new Set();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const input of Object.keys(inputs)) {
        const found = /^node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)/.exec(input);
        if (found) packages.add(found[1]);
      }
    }
  }
  return [...packages].sort();
}

/** The licence notices of all bundled packages. A package without a licence file stops the build. */
async function licences(packages) {
  const texts = [];
  for (const name of packages) {
    const { version, license } = JSON.parse(await readFile(path.join(modules, name, "package.json")));
    const folder = path.join(modules, licenceFrom[name] ?? name);
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|thirdpartynotices)/i.test(file));
    if (!files.length) throw new Error(`${name} has no licence file: name in licenceFrom the package that has its licence`);
    const text = (await Promise.all(files.map((file) => readFile(path.join(folder, file), "utf8")))).join("\n");
    texts.push(`${name} ${version} (${license})\n\n${text.replaceAll("\r\n", "\n").trim()}\n`);
  }
  return `GraphiQL of agentdata holds these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

async function writeHashed(name, text) {
  const { name: stem, ext } = path.parse(name);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase();
  await writeFile(path.join(assets, `${stem}-${hash}${ext}`), text);
  return `${stem}-${hash}${ext}`;
}

await rm(assets, { recursive: true, force: true });
await mkdir(assets, { recursive: true });

const workerEntries = {
  EDITOR_WORKER: "node_modules/monaco-editor/esm/vs/editor/editor.worker.js",
  JSON_WORKER: "node_modules/monaco-editor/esm/vs/language/json/json.worker.js",
  GRAPHQL_WORKER: "node_modules/monaco-graphql/esm/graphql.worker.js",
};
const workers = await build({ ...common, format: "iife", entryPoints: Object.values(workerEntries) });

const page = await build({
  ...common,
  format: "esm",
  jsx: "automatic",
  entryPoints: ["src/main.jsx"],
  external: ["graphql-ws"], // the toolkit loads it only for subscriptions over WebSocket, which are not set up
  alias: {
    "prettier/plugins/estree": "./src/prettier-jsonc.js",
    "prettier/parser-babel": "./src/prettier-jsonc.js",
    "prettier/parser-graphql": "prettier/plugins/graphql", // the same plugin, which would come in twice
  },
  define: {
    "process.env.NODE_ENV": '"production"',
    ...Object.fromEntries(
      Object.entries(workerEntries).map(([name, entry]) => [name, JSON.stringify(nameOf(workers.metafile, entry))]),
    ),
  },
});

const { dependencies } = JSON.parse(await readFile(path.join(import.meta.dirname, "package.json")));
const values = {
  version: dependencies.graphiql,
  script: nameOf(page.metafile, "src/main.jsx"),
  style: path.basename(Object.keys(page.metafile.outputs).find((file) => file.endsWith(".css"))),
  icon: await writeHashed("icon.svg", await readFile(path.join(import.meta.dirname, "src/icon.svg"), "utf8")),
  licences: await writeHashed("licences.txt", await licences(packagesIn([workers.metafile, page.metafile]))),
};
const template = await readFile(path.join(import.meta.dirname, "src/index.html"), "utf8");
await writeFile(
  path.join(target, "index.html"),
  template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => {
    if (!values[name]) throw new Error(`src/index.html asks for ${name}, which the build did not make`);
    return values[name];
  }),
);
