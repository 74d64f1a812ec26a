// `npm run test:stack`: the whole monitoring with real servers, drills, and the templates of a deployment.
import { defineConfig } from 'vitest/config'
import { COMMON, STACK_TESTS } from './vitest.config.ts'

export default defineConfig({ test: { ...COMMON, include: STACK_TESTS } })
