// `npm test`: all but the longest stories, of crashes, of the whole monitoring and of the deployment: those are
// `npm run test:stack`, see vitest.stack.config.ts.
import { defaultExclude, defineConfig } from 'vitest/config'

/** What runs whole stacks of real servers, synthesizes whole deployments, or otherwise takes half a minute alone. */
export const STACK_TESTS = [
  'test/monitoring/{stack,scripts,routing-escalation,alertmanager,prometheus,remote-write}.test.ts',
  'test/drill/drill.test.ts',
  'test/lib/*-stack.test.ts',
  'test/lib/{access,stacks}.test.ts',
  'test/containers/{roles,signatures}.test.ts',
  'test/functions/bundles.test.ts',
  'test/simulate/simulation.test.ts',
  'test/{bin/home-aws,spool/migrate}.test.ts',
  'test/pipeline/{aws-faults,aws-fault-matrix,aws-home,before-queue,crash,crash-loop}.test.ts',
]

/** What needs containers: `npm run test:local`. */
export const LOCAL_TESTS = ['test/local/{images,compose-config,stack}.test.ts']

/** What needs emulators installed by pip: `npm run test:aws`. */
export const EMULATOR_TESTS = ['test/aws/*.test.ts']

export const COMMON = {
  globalSetup: ['test/global-setup.ts'],
  testTimeout: 20_000,
  hookTimeout: 60_000,
  pool: 'forks' as const,
  // Stories wait more than they work: four at a time keep two cores busy.
  maxWorkers: 4,
}

export default defineConfig({
  test: {
    ...COMMON,
    include: ['test/**/*.test.ts'],
    exclude: [...defaultExclude, ...STACK_TESTS, ...LOCAL_TESTS, ...EMULATOR_TESTS],
  },
})
