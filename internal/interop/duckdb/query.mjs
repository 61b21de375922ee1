// Runs the queries of a JSON object {name: SQL} from standard input and prints
// {name: rows}. Numbers beyond a double's precision come as text.
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const queries = JSON.parse(readFileSync(0, 'utf8'));
const db = await (await DuckDBInstance.create(':memory:')).connect();
const answers = {};
for (const [name, sql] of Object.entries(queries)) {
  const result = await db.runAndReadAll(sql);
  answers[name] = result.getRowObjectsJson();
}
console.log(JSON.stringify(answers));
