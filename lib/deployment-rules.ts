// Rules that concern several settings of a deployment: what contradicts itself is told with the path of the key that has
// to change, before anything is made. Each rule is a function from settings to problems; none of them throws.
import type { DeploymentSettings } from './deployment-settings.ts'

type Problem = Readonly<{ key: string; message: string }>
type Rule = (settings: DeploymentSettings) => readonly (Problem | false | undefined)[]

/** Keys of elemta.yaml that follow from where a role runs; a deployment cannot have others. */
const OURS: Readonly<Record<string, string>> = {
  hostname: 'set hostname of the deployment',
  listeners: 'set submission of the deployment',
  routes: 'set routes of the deployment',
  storage: 'the stacks make what mail is kept in',
  data_dir: 'tasks keep nothing',
  ops: 'the load balancer asks port 8080',
  tls: 'set tls of the deployment',
}

const RULES: readonly Rule[] = [
  ({ gateway }) =>
    Object.entries(OURS).map(([key, remedy]) => Object.hasOwn(gateway, key) && problem(`gateway.${key}`, `${remedy}`)),
  ({ gateway }) => [
    Object.hasOwn(groupAt(gateway, 'relay'), 'domains') &&
      problem('gateway.relay.domains', 'set domains of the deployment'),
    waits(groupAt(gateway, 'scan').wait) &&
      problem('gateway.scan.wait', 'scanners run in tasks of their own here: mail is accepted, then scanned'),
    ...pluginsOf(gateway).map(
      (plugin, n) =>
        Object.hasOwn(groupAt(plugin, 'config'), 'managed') &&
        problem(`gateway.plugins[${n}].config.managed`, 'is set by the deployment: scanners are containers here'),
    ),
  ],
  ({ network }) => [
    network.egress === 'nat' &&
      network.natGateways > network.zones.length &&
      problem('network.natGateways', `there are ${network.zones.length} zones: at most one for each`),
    new Set(network.zones).size < network.zones.length && problem('network.zones', 'names a zone twice'),
  ],
  ({ network, routes }) =>
    routes.map(
      ({ to }, n) =>
        network.egress === 'endpoints' &&
        to === 'mx:' &&
        problem(`routes[${n}].to`, 'mx: needs the internet, but network.egress is endpoints'),
    ),
  ({ alerts }) => [
    alerts.slack && alerts.critical.length === 0 && problem('alerts.critical', 'name someone for when Slack is down'),
  ],
  ({ routes }) =>
    routes.map(
      ({ auth, tls, to }, n) =>
        auth &&
        !to.startsWith('smtps:') &&
        (tls === 'none' || tls === 'may') &&
        problem(`routes[${n}].auth`, 'a password goes over TLS only: set tls to encrypt or verify'),
    ),
  ({ submission, gateway, tls }) => [
    submission.enabled &&
      submission.users === 'ldap' &&
      !Object.hasOwn(groupAt(gateway, 'auth'), 'ldap') &&
      problem('submission.users', 'ldap needs gateway.auth.ldap'),
    submission.enabled &&
      tls === 'self-signed' &&
      problem('tls', 'users’ programs refuse a self-signed certificate: submission needs secret'),
    Object.hasOwn(groupAt(gateway, 'auth'), 'users_file') &&
      problem('gateway.auth.users_file', 'the users file is the secret Users: set submission.users'),
  ],
  ({ domains, routes }) => [
    ...domains.map(
      (domain, n) =>
        !routes.some(route => route.domains.some(pattern => covers(pattern, domain))) &&
        problem(`domains[${n}]`, `no route leads to ${domain}: its mail could not be delivered`),
    ),
  ],
]

/** What contradicts itself; none: []. */
export function contradictions(settings: DeploymentSettings): readonly Problem[] {
  return RULES.flatMap(rule => rule(settings)).filter(found => found !== false && found !== undefined)
}

function problem(key: string, message: string): Problem {
  return { key, message }
}

/** Whether a pattern of a route (example.com, *.example.com, *) means a domain. */
function covers(pattern: string, domain: string): boolean {
  const [wanted, name] = [pattern.toLowerCase(), domain.toLowerCase()]
  return wanted === '*' || wanted === name || (wanted.startsWith('*.') && name.endsWith(wanted.slice(1)))
}

function groupAt(group: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const inner = group[key]
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
}

function pluginsOf(gateway: DeploymentSettings['gateway']): readonly Record<string, unknown>[] {
  return Array.isArray(gateway.plugins) ? gateway.plugins : []
}

function waits(wait: unknown): boolean {
  return wait !== undefined && wait !== 0 && !/^0\D*$/.test(String(wait))
}
