// Is every job scraped? Each of the five has a target, and each target is up; what is not is told with the reason that
// Prometheus has, and what most often helps.
import { JOBS, type Job } from '../scrape.ts'
import type { Check } from './check.ts'
import { askPrometheus } from './prometheus.ts'

type Target = Readonly<{
  labels: Readonly<Record<string, string>>
  scrapeUrl: string
  health: 'up' | 'down' | 'unknown'
  lastError: string
}>

const ADVICE: Readonly<Record<Job, string>> = {
  elemta: 'start the gateway (npm start); see that ops.address and ops.port are those in targets/elemta.yml',
  clamav: 'the gateway tells of clamd at /metrics/clamav of its operator’s port, if the clamav plugin is on',
  rspamd: 'see that Rspamd’s controller listens there; scripts/setup-security-monitoring.sh checks it',
  prometheus: 'see that targets/prometheus.yml has its own address',
  alertmanager: 'start Alertmanager; see that targets/alertmanager.yml has its address',
}

export async function checkTargets(prometheus: string): Promise<Check> {
  type Answer = Readonly<{ activeTargets: readonly Target[] }>
  const { activeTargets } = await askPrometheus<Answer>(prometheus, '/api/v1/targets?state=active')
  const problems = JOBS.flatMap(job => {
    const found = activeTargets.filter(({ labels }) => labels.job === job)
    if (found.length === 0) return [`${job}: no target is configured; put its address into targets/${job}.yml`]
    return found.flatMap(target => {
      const text = targetProblem(target)
      return text === undefined ? [] : [`${job} at ${withoutPassword(target.scrapeUrl)} ${text}; ${ADVICE[job]}`]
    })
  })
  const up = activeTargets.filter(({ health }) => health === 'up')
  const jobs = [...new Set(up.map(({ labels }) => labels.job))].sort()
  return { name: 'targets', summary: `${up.length}/${activeTargets.length} up: ${jobs.join(', ')}`, problems }
}

function targetProblem({ health, lastError }: Target): string | undefined {
  switch (health) {
    case 'up':
      return undefined
    case 'down':
      return `is down: ${withoutPassword(lastError)}`
    case 'unknown':
      return 'has not been scraped yet: try again in a minute'
  }
}

const withoutPassword = (text: string) => text.replaceAll(/([?&]password=)[^&\s"]*/g, '$1…')
