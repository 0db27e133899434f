import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

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
  test: { environment: 'happy-dom', include: ['test/**/*.test.{ts,tsx}'] },
});
