// The smallest stage that takes mail: one task of each kind, one NAT gateway, nothing that outlives `npm run destroy`.
// Every setting and its default: lib/deployment-settings.ts.
import type { DeploymentInput } from '../lib/deployment-settings.ts'

export default {
  stage: 'dev',
  region: 'eu-central-1',
  hostname: 'mx.dev.example.com',
  domains: ['dev.example.com'],
  routes: [{ domains: ['*'], to: 'smtp://mail.dev.example.com:587', tls: 'encrypt' }],
  ingress: { min: 1, max: 2 },
  scan: { tasks: { max: 2 } },
  delivery: { runsOn: 'lambda', concurrency: 5 }, // a new account may run 10 functions at once
  data: { retain: false, pointInTimeRecovery: false },
  logDays: 7,
} satisfies DeploymentInput
