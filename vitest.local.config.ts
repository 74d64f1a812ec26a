// `npm run test:local`: our images and the container stack, really built and run, in namespaces of their own: see
// test/local/README.md. One file after the other: they share a podman.
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { LOCAL_TESTS } from './vitest.config.ts'

/** By name: images before the stack that is made of them. A build of theirs with other labels would find the stack's in podman's cache. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId))
  }
}

export default defineConfig({
  test: {
    include: LOCAL_TESTS,
    globalSetup: ['test/local/base-images.ts'],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    sequence: { sequencer: ByName },
  },
})
