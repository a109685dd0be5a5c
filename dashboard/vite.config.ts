import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** `vite build dashboard` from the repository's root, `vite dashboard` to work on the page beside a running server. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0 },
  server: {
    proxy: {
      '/v1': { target: 'http://127.0.0.1:8080', ws: true },
      '/signin': 'http://127.0.0.1:8080',
      '/signout': 'http://127.0.0.1:8080',
    },
  },
});
