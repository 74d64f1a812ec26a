// `npm run test:aws`: what is tested on emulators in this process by `npm test` runs here on MiniStack (and
// LocalStack, where it can be installed), which know more of AWS: transactions, checksums of uploads in parts, and
// CloudFormation, so that the templates of the stages are really deployed.
import { defineConfig } from 'vitest/config'
import { EMULATOR_TESTS } from './vitest.config.ts'

export default defineConfig({
  test: {
    include: [
      ...EMULATOR_TESTS,
      'test/storage/{contract-aws,message-store-s3,job-queue-sqs}.test.ts',
      'test/storage/{record-store,policy-store,job-rows}-dynamodb.test.ts',
      'test/spool/sweep-orphans.test.ts',
      'test/pipeline/aws-*.test.ts',
    ],
    globalSetup: ['test/global-setup.ts', 'test/aws-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
