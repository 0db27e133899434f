// Fails when the page has become heavier than its budget: what a browser loads at first, compressed.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const budget = 250 * 1024;
const folder = new URL('../../internal/admin/dist/assets/', import.meta.url);
let total = 0;
for (const name of readdirSync(folder).sort()) {
  const size = gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length;
  total += size;
  console.log(`${(size / 1024).toFixed(1).padStart(7)} KB gzip  ${name}`);
}
console.log(`${(total / 1024).toFixed(1).padStart(7)} KB gzip  in all, of ${budget / 1024}`);
if (total > budget) {
  console.error('The page is heavier than its budget: load what is rarely needed later, or do without it.');
  process.exit(1);
}
