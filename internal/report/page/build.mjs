// Builds dist/page.js, dist/page.css and LICENSES. The Go build embeds dist/,
// so that it needs neither Node nor a network.
//
// esbuild: one dependency, deterministic output, understands TypeScript and CSS.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

// What ends up in the script. Each is here because it is better than our own:
// d3-time knows the calendar (ticks from years to milliseconds), and
// @noble/hashes has an audited BLAKE3. Gestures and the rows that scroll are our
// own code: d3-zoom and @tanstack/virtual-core would triple the script for one
// axis and rows of one height.
const embedded = ["d3-time", "d3-array", "internmap", "@noble/hashes"];

const licence = (name) => {
  const dir = `node_modules/${name}/`;
  const { version, license } = JSON.parse(readFileSync(dir + "package.json", "utf8"));
  return { name, version, license, text: readFileSync(dir + "LICENSE", "utf8").trim() };
};
const all = embedded.map(licence);

const options = {
  bundle: true,
  minify: true,
  // light-dark() and DecompressionStream are of 2024 and 2023.
  target: ["chrome123", "firefox120", "safari17.5"],
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
};

const script = await build({
  ...options,
  entryPoints: ["src/page/main.ts"],
  format: "iife",
  outfile: "dist/page.js",
  metafile: true,
  banner: { js: `/* edged report page. Contains ${all.map((l) => `${l.name} ${l.version} (${l.license})`).join(", ")}; their licences are in internal/report/page/LICENSES of the source. */` },
});
await build({ ...options, entryPoints: ["src/style/page.css"], outfile: "dist/page.css" });

// A library that crept in must be listed.
for (const path of Object.keys(script.metafile.outputs["dist/page.js"].inputs)) {
  const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  if (name && !embedded.includes(name)) throw new Error(`${name} is in the script, but its licence is not in LICENSES`);
}
// Inside a page, a script ends at the first of these; the browser does not know quotes.
for (const file of ["dist/page.js", "dist/page.css"]) {
  if (/<\/(script|style)|<!--/i.test(readFileSync(file, "utf8"))) throw new Error(`${file} would end its own element`);
}

writeFileSync("LICENSES", all.map((l) => `${l.name} ${l.version}\n\n${l.text}\n`).join(`\n${"-".repeat(72)}\n\n`));
