// Builds the script and the style of each page into dist/, and LICENSES. The Go
// build embeds dist/, so that it needs neither Node nor a network.
//
// esbuild: one dependency, deterministic output, understands TypeScript and CSS.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

// What ends up in the report's script. Each is here because it is better than our own:
// d3-time knows the calendar (ticks from years to milliseconds), and
// @noble/hashes has a BLAKE3 that many rely on. Gestures and the rows that scroll
// are our own code: d3-zoom and @tanstack/virtual-core would add 85 KB, more than
// all of the script, for one axis and rows of one height.
// The fleet's script contains no library.
const pages = {
  report: { of: "edgectl report", embedded: ["@noble/hashes", "d3-array", "d3-time"] },
  fleet: { of: "edgehub serve", embedded: [] },
};

const licence = (name) => {
  const dir = `node_modules/${name}/`;
  const { version, license } = JSON.parse(readFileSync(dir + "package.json", "utf8"));
  const text = readFileSync(dir + "LICENSE", "utf8").trim();
  return { title: `${name} ${version}`, license, text, by: /Copyright.*/.exec(text)?.[0] ?? "" };
};

const options = {
  bundle: true,
  minify: true,
  // light-dark() and DecompressionStream are of 2024 and 2023.
  target: ["chrome123", "firefox120", "safari17.5"],
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
};

const licences = [];
for (const [page, { of, embedded }] of Object.entries(pages)) {
  const [js, css] = [`dist/${page}.js`, `dist/${page}.css`];
  const script = await build({ ...options, entryPoints: [`src/${page}/main.ts`], format: "iife", outfile: js, metafile: true, write: false });
  await build({ ...options, entryPoints: [`src/${page}/page.css`], outfile: css });

  // The licences are those of what is in the script.
  const inputs = Object.entries(script.metafile.outputs[js].inputs).filter(([, use]) => use.bytesInOutput > 0);
  const found = [...new Set(inputs.map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean))].sort();
  if (String(found) !== String(embedded)) throw new Error(`${js} contains ${found}, and not ${embedded}: correct the list`);
  const all = found.map(licence);
  const contains = all.length > 0 ? ` It contains ${all.map((l) => `${l.title} (${l.license}, ${l.by})`).join("; ")}. The whole licences are in internal/report/page/LICENSES of the source.` : "";
  writeFileSync(js, `/* The page of ${of}.${contains} */\n${script.outputFiles[0].text}`);
  licences.push(...all);

  // Inside a page, a script ends at the first of these; the browser does not know quotes.
  for (const file of [js, css]) {
    if (/<\/(script|style)|<!--/i.test(readFileSync(file, "utf8"))) throw new Error(`${file} would end its own element`);
  }
}

writeFileSync("LICENSES", licences.map((l) => `${l.title}\n\n${l.text}\n`).join(`\n${"-".repeat(72)}\n\n`));
