import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const worker = process.env.VITE_WORKER ?? 'http://127.0.0.1:8080';

/** The dashboard, into the folder that the worker embeds. */
export default defineConfig({
  plugins: [react()],
  base: './',
  build: {
    outDir: '../internal/admin/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
  },
  // For work on the page in front of a running worker: VITE_WORKER=http://127.0.0.1:8080 npx vite
  server: { proxy: { '/api': worker, '/broadcasting': worker } },
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.{ts,tsx}'],
    testTimeout: 60_000, // on a machine that does other things too
  },
});
