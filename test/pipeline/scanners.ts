// The scanners' blocks of a story's configuration.
type Address = Readonly<{ host: string; port: number }>
type Settings = Record<string, unknown>

/** Both scanners at these addresses, never started by the gateway; without an address a scanner is left out. */
export function withScanners(clamav?: Address & Settings, rspamd?: Address & Settings): { plugins: unknown[] } {
  return {
    plugins: [
      ...(clamav === undefined ? [] : [{ name: 'clamav', config: { managed: false, ...clamav } }]),
      ...(rspamd === undefined ? [] : [{ name: 'rspamd', config: { managed: false, ...onlySettings(rspamd) } }]),
    ],
  }
}

/** Without what only tests know of a scanner. */
function onlySettings({ controllerPort: _, ...settings }: Settings): Settings {
  return settings
}
