// `npm test`: all but the stories of the whole monitoring and of the deployment, which take their time: those are
// `npm run test:stack`, see vitest.stack.config.ts.
import { defaultExclude, defineConfig } from 'vitest/config'

/** What runs whole stacks of real servers, or synthesizes whole deployments. */
export const STACK_TESTS = [
  'test/monitoring/{stack,scripts,routing-escalation,alertmanager,prometheus,remote-write}.test.ts',
  'test/drill/drill.test.ts',
  'test/lib/*-stack.test.ts',
  'test/lib/{access,stacks}.test.ts',
  'test/containers/{roles,signatures}.test.ts',
  'test/functions/bundles.test.ts',
  'test/simulate/simulation.test.ts',
  'test/{bin/home-aws,spool/migrate,pipeline/aws-faults,pipeline/aws-fault-matrix,pipeline/aws-home}.test.ts',
]

/** What needs containers: `npm run test:local`. */
export const LOCAL_TESTS = ['test/local/{images,compose-config,stack}.test.ts']

export const COMMON = {
  globalSetup: ['test/global-setup.ts'],
  testTimeout: 20_000,
  hookTimeout: 60_000,
  pool: 'forks' as const,
  // Stories wait more than they work: four at a time keep two cores busy.
  maxWorkers: 4,
}

export default defineConfig({
  test: { ...COMMON, include: ['test/**/*.test.ts'], exclude: [...defaultExclude, ...STACK_TESTS, ...LOCAL_TESTS] },
})
