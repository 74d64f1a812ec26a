// The settings that rules, dashboards and collectors have on AWS: the shipped ones at the pace of Amazon Managed Service
// for Prometheus, where each sample is paid for. A site's own settings (monitoring/thresholds.ts) may replace them.
import { DEFAULT_SETTINGS, type Settings } from '../thresholds.ts'

/** A minute between samples: twice as often costs twice as much, and no window of the rules needs it. */
export const AWS_SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  timing: { ...DEFAULT_SETTINGS.timing, evaluation_interval: 60_000 },
}
