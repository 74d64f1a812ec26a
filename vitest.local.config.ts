// `npm run test:local`: our images and the container stack, really built and run, in namespaces of their own: see
// test/local/README.md. One file after the other: they share a podman.
import { defineConfig } from 'vitest/config'
import { LOCAL_TESTS } from './vitest.config.ts'

export default defineConfig({
  test: {
    include: LOCAL_TESTS,
    globalSetup: ['test/local/base-images.ts'],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
})
