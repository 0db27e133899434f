import { defineConfig } from 'vite';

/** The package that apps import: ESM, with everything that they bring themselves left out. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: 'dist',
    minify: false,
    sourcemap: true,
    cssCodeSplit: true,
    lib: {
      entry: {
        core: 'src/core/index.ts',
        react: 'src/react/index.ts',
        flow: 'src/flow/index.ts',
        echo: 'src/echo/index.ts',
        'flow-style': 'src/flow/flow.css',
      },
      formats: ['es'],
    },
    rollupOptions: { external: [/^react($|\/)/, /^react-dom/, '@xyflow/react', 'laravel-echo', /^pusher-js/] },
  },
});
