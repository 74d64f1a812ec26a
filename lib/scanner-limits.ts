// What the scanners of a task have to be told so that they agree with the gateway's configuration: the largest message that
// is accepted must be one that they look at, and both must mean the same score by "reject". Pure; throws SettingsError
// where a limit is more than the images can do, ConfigError where the configuration makes no sense at all.
import { enabledPlugin } from '../src/platform/config.ts'
import { parseConfig } from '../src/platform/config-load.ts'
import { type DeploymentSettings, SettingsError } from './deployment-settings.ts'
import { gatewayConfig, type Role } from './gateway-config.ts'

export type ScannerLimits = Readonly<{
  /** Octets: StreamMaxLength of clamd. */
  clamd: number
  /** Octets: max_message of rspamd. */
  rspamd: number
  rejectScore: number
}>

/** Octets for the trace and verdict headers that scanners see, too. */
const HEADROOM = 1024 * 1024
/** Octets: MaxFileSize in containers/clamav/clamd.conf, from which on clamd sees only a part. */
const CLAMD_MOST = 100 * 1024 * 1024

export function scannerLimits(settings: DeploymentSettings): ScannerLimits {
  const config = checkedGatewayConfig(settings, 'scan')
  const most = config.limits.message_size + HEADROOM
  const [clamav, rspamd] = [enabledPlugin(config, 'clamav'), enabledPlugin(config, 'rspamd')]
  if (clamav !== undefined && most > CLAMD_MOST) {
    const message = 'clamd looks at 100 MB and no more: set 99MB, or less'
    throw new SettingsError([{ key: 'gateway.limits.message_size', message }])
  }
  return {
    // Where a limit is said, the gateway keeps larger messages from the scanner by itself.
    clamd: clamav?.stream_max ?? most,
    rspamd: rspamd?.max_size ?? most,
    rejectScore: rspamd?.reject_score ?? 15,
  }
}

/** The configuration as `role` will read it, with something for every variable that will be set when it is deployed. */
export function checkedGatewayConfig(settings: DeploymentSettings, role: Role) {
  const text = gatewayConfig(settings, role)
  const names = [...text.matchAll(/\$\{(ELEMTA_\w+)\}/g)].map(([, name = '']) => name)
  const env = Object.fromEntries(names.map(name => [name, 'https://placeholder.example.com/1/x']))
  return parseConfig(text, { file: 'gateway', env })
}
