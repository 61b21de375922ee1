// Runs the queries of a JSON list from standard input, and prints the milliseconds that
// each took, and the first value of its first row.
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const db = await (await DuckDBInstance.create(':memory:')).connect();
const answers = [];
for (const sql of JSON.parse(readFileSync(0, 'utf8'))) {
  const began = performance.now();
  const rows = (await db.runAndReadAll(sql)).getRowsJson();
  answers.push({ ms: performance.now() - began, rows: rows.length, first: String(rows[0]?.[0] ?? '') });
}
console.log(JSON.stringify(answers));
