// Answers with what jsonata-js makes of an expression: one JSON line in, one out.
// {"expr": "...", "rows": [...]} becomes {"error": "code"} where it does not compile, else
// {"results": [...]}, one for each row: {"value": ...}, {"error": "code"}, or {} for undefined.
import { createInterface } from 'node:readline';
import jsonata from 'jsonata';

// JSON has no numbers that are not finite, and would drop functions in silence.
function plain(key, value) {
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) };
  if (typeof value === 'function' || value?._jsonata_function || value?._jsonata_lambda) return { function: true };
  return value;
}

async function run(expression, row) {
  try {
    const value = await expression.evaluate(row);
    return value === undefined ? {} : { value };
  } catch (e) {
    return { error: String(e.code ?? e.message ?? e) };
  }
}

async function answer({ expr, rows }) {
  let expression;
  try {
    expression = jsonata(expr);
  } catch (e) {
    return { error: String(e.code ?? e.message ?? e) };
  }
  const results = [];
  for (const row of rows) results.push(await run(expression, row));
  return { results };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line)), plain) + '\n');
}
