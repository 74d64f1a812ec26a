// elemta.yaml as each role of a stage gets it, in ELEMTA_CONFIG_YAML: only what differs from the defaults, as a Lambda
// function has 4 KB for its whole environment. Names of resources and secrets are variables (`${ELEMTA_BUCKET}`), which the
// stacks set, so that the text is the same wherever it runs and `cdk synth` can check it. A role is told the secrets that
// it needs and no others. Pure functions.
import { stringify } from 'yaml'
import type { DeploymentSettings } from './deployment-settings.ts'
import { RESOURCE_VARIABLES } from './names.ts'

export const ROLES = ['ingress', 'scan', 'delivery', 'upkeep'] as const
/** `upkeep`: the functions that sweep, and tell the lengths of queues. */
export type Role = (typeof ROLES)[number]

/** Where containers listen: they are not root. */
export const PORTS = { mx: 2525, submission: 2587, submissions: 2465, ops: 8080, clamd: 3310, rspamd: 11333, dns: 5335 }

/** Where a role's containers may write, and the entry point puts the files that secrets hold. */
export const DATA_DIRECTORY = '/run/elemta'

type Group = Readonly<Record<string, unknown>>

/** The configuration of `role` as YAML. */
export function gatewayConfig(settings: DeploymentSettings, role: Role): string {
  return stringify(gatewayKeys(settings, role), { lineWidth: 0, aliasDuplicateObjects: false })
}

function gatewayKeys(settings: DeploymentSettings, role: Role): Group {
  const { hostname, domains, gateway, region, tls, submission } = settings
  const files = role === 'ingress'
  return {
    ...gateway,
    hostname,
    data_dir: DATA_DIRECTORY,
    ...(role === 'ingress' && { listeners: listenersOf(settings) }),
    ops: { address: '0.0.0.0', port: PORTS.ops },
    relay: { ...groupAt(gateway, 'relay'), domains },
    routes: settings.routes.map(route => routeFor(route, role)),
    ...(files && tls === 'secret' && { tls: certificateFiles() }),
    ...(files &&
      submission.enabled &&
      submission.users === 'secret' && {
        auth: { ...groupAt(gateway, 'auth'), users_file: `${DATA_DIRECTORY}/users` },
      }),
    ...(role === 'ingress' &&
      settings.network.egress === 'nat' && {
        dns: { servers: [`127.0.0.1:${PORTS.dns}`], ...groupAt(gateway, 'dns') },
      }),
    plugins: pluginsOf(gateway),
    storage: {
      home: 'aws',
      aws: {
        region,
        bucket: variable(RESOURCE_VARIABLES.bucket),
        records_table: variable(RESOURCE_VARIABLES.recordsTable),
        policy_table: variable(RESOURCE_VARIABLES.policyTable),
        scan_queue: variable(RESOURCE_VARIABLES.scanQueue),
        delivery_queue: variable(RESOURCE_VARIABLES.deliveryQueue),
      },
    },
  }
}

function listenersOf({ submission }: DeploymentSettings): readonly Group[] {
  const address = '0.0.0.0'
  const mx = { address, port: PORTS.mx, mode: 'mx' }
  if (!submission.enabled) return [mx]
  return [
    mx,
    { address, port: PORTS.submission, mode: 'submission' },
    { address, port: PORTS.submissions, mode: 'submissions' },
  ]
}

function routeFor({ auth, ...route }: DeploymentSettings['routes'][number], role: Role): Group {
  if (!auth || role !== 'delivery') return route
  return {
    ...route,
    auth: { user: variable('ELEMTA_NEXT_HOP_USER'), password: variable('ELEMTA_NEXT_HOP_PASSWORD') },
  }
}

function certificateFiles(): Group {
  return {
    certificates: [{ cert: `${DATA_DIRECTORY}/certificate.pem`, key: `${DATA_DIRECTORY}/certificate-key.pem` }],
  }
}

/** The scanners are containers of the same task: never children. A site's own policies keep their order. */
function pluginsOf(gateway: DeploymentSettings['gateway']): readonly Group[] {
  const given = (Array.isArray(gateway.plugins) ? gateway.plugins : [{ name: 'clamav' }, { name: 'rspamd' }]) as Group[]
  return given.map(plugin =>
    plugin.name === 'clamav' || plugin.name === 'rspamd'
      ? { ...plugin, config: { ...groupAt(plugin, 'config'), managed: false } }
      : plugin,
  )
}

function variable(name: string): string {
  return `\${${name}}`
}

function groupAt(group: Group, key: string): Group {
  const inner = group[key]
  return typeof inner === 'object' && inner !== null ? (inner as Group) : {}
}
