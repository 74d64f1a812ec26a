// For scripts/test-monitoring.sh: the stories of the alerts alone, which need promtool and no scanners.
import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['test/monitoring/rules/stories.test.ts'], pool: 'forks' } })
