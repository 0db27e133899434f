// Checks that the TypeScript of README.md compiles against the package as apps get it: its declarations, and the names
// that it exports.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const root = new URL('..', import.meta.url);
const folder = new URL('.readme/', root);
const tsc = createRequire(root).resolve('typescript/package.json').replace('package.json', 'bin/tsc');
const run = (...args) => execFileSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' });

rmSync(folder, { recursive: true, force: true });
mkdirSync(new URL('pages', folder), { recursive: true });
try {
  run('-p', 'tsconfig.lib.json', '--outDir', '.readme/types');
  const blocks = [...readFileSync(new URL('README.md', root), 'utf8').matchAll(/```(tsx?)\n([\s\S]*?)```/g)];
  const files = { ts: 'echo.ts', tsx: 'pages/Schemas.tsx' };
  for (const [, kind, code] of blocks) writeFileSync(new URL(files[kind], folder), code);
  if (blocks.length !== 2)
    throw new Error(`README.md has ${blocks.length} examples in TypeScript, and this script knows 2`);
  writeFileSync(
    new URL('app.d.ts', folder),
    `declare module '@inertiajs/react' {
       export function usePage(): { props: { auth: { user: { tenant_id: string } }; graph: unknown } };
     }
     declare module '@schemacast/web/flow.css';
     interface ImportMeta { readonly env: Record<string, string | undefined> }`,
  );
  const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8'));
  const paths = Object.fromEntries(
    ['core', 'react', 'flow', 'echo'].map(name => [`@schemacast/web/${name}`, [`./types/${name}/index.d.ts`]]),
  );
  writeFileSync(
    new URL('tsconfig.json', folder),
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: [], paths }, include: ['*.ts', 'pages/*.tsx'] }),
  );
  run('-p', '.readme');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
