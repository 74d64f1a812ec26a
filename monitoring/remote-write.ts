// Long-term storage elsewhere: remote_write for the stores that take it. As shipped it is an example with one entry for
// each kind; a site keeps its own and puts it at the end of its prometheus.yml (docs/monitoring-storage.md).
// Written from a queue on the disk (Prometheus's own log of the last two hours): a store that is away for less than
// that loses nothing.
import { stringify } from 'yaml'
import { LONG_TERM } from './downsampling.ts'

export type Store = Readonly<
  { url: string; series: 'long-term' | 'all' } & (
    | { kind: 'amp'; region: string }
    | { kind: 'mimir' | 'thanos'; tenant: string }
    | { kind: 'prometheus' }
  )
>

/** Alerts are history worth keeping, and few. */
const KEPT = `${LONG_TERM}:.+|ALERTS`

export const EXAMPLE_STORES: readonly Store[] = [
  {
    kind: 'amp',
    url: 'https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-EXAMPLE/api/v1/remote_write',
    region: 'eu-central-1',
    series: 'all',
  },
  { kind: 'mimir', url: 'http://mimir:9009/api/v1/push', tenant: 'elemta', series: 'long-term' },
  { kind: 'thanos', url: 'http://thanos-receive:19291/api/v1/receive', tenant: 'elemta', series: 'long-term' },
]

const HEAD = `# An example, written from monitoring/remote-write.ts. Keep the entry of your store, put in its address, and append
# the file to your prometheus.yml. "keep" leaves only the downsampled series; without it everything is sent.
`

/** The end of a prometheus.yml. */
export function remoteWrite(stores: readonly Store[]): string {
  return stringify({ remote_write: stores.map(entry) }, { lineWidth: 0 })
}

/** The shipped example, by its path below the folder `monitoring`. */
export function renderRemoteWrite(): Map<string, string> {
  return new Map([['prometheus/remote-write.yml', HEAD + remoteWrite(EXAMPLE_STORES)]])
}

function entry(store: Store) {
  return {
    name: store.kind,
    url: store.url,
    ...access(store),
    // At most some thousand series: one shard is plenty, and a returning store is not stormed.
    queue_config: { max_shards: 10, max_samples_per_send: 2000, capacity: 10_000, max_backoff: '30s' },
    ...(store.series === 'long-term' && {
      write_relabel_configs: [{ source_labels: ['__name__'], regex: KEPT, action: 'keep' }],
    }),
  }
}

function access(store: Store) {
  switch (store.kind) {
    case 'amp':
      return { sigv4: { region: store.region } } // credentials: the role of the machine or task
    case 'mimir':
      return { headers: { 'X-Scope-OrgID': store.tenant } }
    case 'thanos':
      return { headers: { 'THANOS-TENANT': store.tenant } }
    case 'prometheus':
      return {}
  }
}
