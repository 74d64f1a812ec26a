// A stage that people depend on. Every setting and its default: lib/deployment-settings.ts.
import type { DeploymentInput } from '../lib/deployment-settings.ts'

export default {
  stage: 'prod',
  // account: '111111111111', // refuses to be deployed anywhere else
  region: 'eu-central-1',

  // Its A records are the ingress addresses that `npm run deploy` prints, and each of them needs a PTR record back.
  hostname: 'mx.example.com',
  domains: ['example.com', 'example.org'],
  routes: [
    // Microsoft 365 takes mail for its tenants on port 25 only: ask AWS to open it (output Port25Request).
    { domains: ['example.com'], to: 'smtp://example-com.mail.protection.outlook.com:25', tls: 'encrypt' },
    // A server of your own that wants a password: the secret NextHopCredentials.
    { domains: ['*'], to: 'smtp://mail.example.org:587', tls: 'verify', auth: true },
  ],
  // Everything else of elemta.yaml; only what differs from its defaults.
  gateway: {
    limits: { message_size: '35MB' },
    plugins: [
      { name: 'clamav', config: { stream_max: '40MB' } },
      { name: 'rspamd' },
      { name: 'greylist', mode: 'log' }, // tells what it would defer; enforce, once you have looked
      { name: 'dnsbl', config: { zones: [{ zone: 'zen.spamhaus.org' }] }, mode: 'log' },
    ],
  },

  network: { zones: ['a', 'b'], natGateways: 2, flowLogs: true },
  submission: { enabled: true, users: 'secret' },
  tls: 'secret',

  ingress: { cpu: 1024, memory: 2048, min: 2, max: 10 },
  scan: { tasks: { cpu: 2048, memory: 8192, min: 2, max: 20 }, spot: true, dqs: true },
  delivery: { runsOn: 'fargate', tasks: { min: 2, max: 10 } },

  data: { retain: true, encryption: 'own-key', pointInTimeRecovery: true },
  alerts: { critical: ['oncall@example.com'], warning: ['mail-team@example.com'], slack: true },
  grafana: { enabled: true, authentication: 'AWS_SSO' },
  logDays: 90,
  tags: { team: 'mail' },
} satisfies DeploymentInput
