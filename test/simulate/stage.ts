// A stage with the default settings under a little load, for tests that change one thing of it.
import { type DeploymentInput, deploymentSettings } from '../../lib/deployment-settings.ts'
import { askSteps } from '../../simulate/dynamodb-steps.ts'
import { latenciesTimes, type QuotaName, quotasWith } from '../../simulate/services.ts'
import { type Result, type SimulationOptions, simulate } from '../../simulate/simulation.ts'

/** Far more than any test needs. */
const PLENTY = { vcpus: 100_000, tableWrites: 1e7, tableReads: 1e7, prefixWrites: 1e6, prefixReads: 1e6 }

const steps = await askSteps()

type Changes = Partial<Omit<SimulationOptions, 'settings' | 'quotas' | 'steps'>> &
  Readonly<{ settings?: Partial<DeploymentInput>; quotas?: Partial<Record<QuotaName, number>> }>

export function simulated({ settings, quotas, ...changes }: Changes = {}): Promise<Result> {
  const names = { stage: 'any', region: 'us-east-1', hostname: 'mx.example.com', domains: ['example.com'] }
  const routes = [{ domains: ['*'], to: 'smtp://mail.example.com:25' }]
  return simulate({
    settings: deploymentSettings({ ...names, routes, ...settings }),
    steps,
    quotas: quotasWith({ ...PLENTY, ...quotas }),
    latencies: latenciesTimes(1),
    ...{ rate: 50, duration: 20, tasks: 'needed', size: 75_000, deferred: 0.02, spread: 1, seed: 1 },
    ...changes,
  })
}
