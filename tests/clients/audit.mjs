// Runs the audits of graphql-http against a server, and prints the result of each as JSON.
import { serverAudits } from "graphql-http";

const { url, key } = JSON.parse(process.argv[2]);
const fetchWithKey = (address, options = {}) =>
  fetch(address, { ...options, headers: { ...options.headers, authorization: `Bearer ${key}` } });

const results = [];
for (const audit of serverAudits({ url, fetchFn: fetchWithKey })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
console.log(JSON.stringify(results));
