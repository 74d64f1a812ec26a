// The scanners' blocks of a story's configuration.
type Settings = Record<string, unknown>

/** Both scanners with these settings, not started by the gateway unless they say so; without settings a scanner is left out. */
export function withScanners(clamav?: Settings, rspamd?: Settings): { plugins: unknown[] } {
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
