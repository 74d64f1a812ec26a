// Reads the configuration that each role would get as that role will read it, so that what is wrong with `gateway` of a
// deployment's settings is told at `cdk synth` and not by a task that does not start.
import { type DeploymentSettings, SettingsError } from '../lib/deployment-settings.ts'
import { gatewayConfig, ROLES } from '../lib/gateway-config.ts'
import { checkedGatewayConfig, scannerLimits } from '../lib/scanner-limits.ts'
import { ConfigError } from '../src/platform/config-errors.ts'

/** A Lambda function has 4 KB for its whole environment: this leaves room for the names of resources. */
const MOST_OCTETS = 3000

/** Throws SettingsError with the keys of `gateway` that are wrong. */
export function checkGatewayConfig(settings: DeploymentSettings): void {
  for (const role of ROLES) {
    const text = gatewayConfig(settings, role)
    if (Buffer.byteLength(text) > MOST_OCTETS) {
      const message = `makes a configuration of ${Buffer.byteLength(text)} octets for ${role}: at most ${MOST_OCTETS} fit`
      throw new SettingsError([{ key: 'gateway', message }])
    }
    try {
      checkedGatewayConfig(settings, role)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      throw new SettingsError(error.problems.map(({ key, message }) => ({ key: `gateway.${key}`, message })))
    }
  }
  scannerLimits(settings)
}
