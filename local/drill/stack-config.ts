// The gateway's configuration in each stack: as shipped where no fault needs it otherwise.
import { certificateFile } from './certificate.ts'
import type { StackName } from './fault.ts'
import type { GatewayOptions } from './gateway.ts'

export type Ports = Readonly<{ clamd: number; rspamd: number; nextHop: number; closed: number }>

const MEBIBYTE = 1024 * 1024
/** Of the stack whose disk is filled. */
const DISK_SIZE = 160 * MEBIBYTE

export function gatewayOptions(stack: StackName, dir: string, ports: Ports): GatewayOptions {
  const clamav = { host: '127.0.0.1', port: ports.clamd, managed: false }
  const rspamd = { host: '127.0.0.1', port: ports.rspamd, managed: false }
  const updates = { mirror: `http://127.0.0.1:${ports.closed}`, interval: '2h' }
  const common = {
    routes: [
      { domains: ['*'], to: `smtp://127.0.0.1:${ports.nextHop}`, tls: 'none' },
      { domains: ['down.example.com'], to: `smtp://127.0.0.1:${ports.closed}`, tls: 'none' },
    ],
    plugins: plugins(clamav, rspamd),
    limits: { connections_per_client: 1000, disk_reserve: '8MB', allowlist: ['127.0.0.0/8'] },
    delivery: { retry_schedule: ['2s', '4s'] },
    scan: { retry_schedule: ['1s'] },
  }
  switch (stack) {
    case 'scanners':
      // One scan at a time: so mail waits where its scanner is slow.
      return {
        dir,
        config: {
          ...common,
          scan: { ...common.scan, concurrency: 1 },
          canary: { enabled: true, interval: '2s', deadline: '1500ms' },
        },
      }
    case 'ingress':
      return {
        dir,
        config: {
          ...common,
          plugins: [...plugins(clamav, rspamd), greylist],
          tls: { certificates: [{ cert: certificateFile(dir), key: certificateFile(dir) }] },
        },
      }
    case 'instance':
      return { dir, config: common, diskSize: DISK_SIZE }
    case 'updates':
      return { dir, config: { ...common, plugins: plugins({ ...clamav, managed: true, updates }, rspamd) } }
    case 'delivery':
    case 'anomaly':
      return { dir, config: common }
  }
}

/** Strangers are those who write to stranger@example.com. */
const greylist = {
  name: 'greylist',
  config: { allowlist: { recipients: ['bob@example.com'] } },
}

function plugins(clamav: object, rspamd: object) {
  return [
    { name: 'clamav', config: clamav },
    { name: 'rspamd', config: rspamd },
  ]
}
