// What a rule is: the one form from which rule files are rendered, for Prometheus now and for other homes later.
// Expressions are plain PromQL. What every alert must carry (severity, team, texts, dashboard) is required by type;
// the links to runbook and dashboard are added when it is rendered, so that none can be forgotten.
import type { ThresholdName } from '../thresholds.ts'
import type { RecordName } from './records.ts'

export type Severity = 'critical' | 'warning' | 'info'

/** Who looks after it: the service and its resources, the mail that flows, what is in the mail. */
export type Team = 'platform' | 'mail' | 'security'

export type Slo = 'accept' | 'timeliness' | 'scan_coverage' | 'no_loss'

/** The fixed addresses of the dashboards: `/d/<uid>`. */
export type DashboardUid =
  | 'elemta-dashboard'
  | 'elemta-greylisting'
  | 'elemta-security'
  | 'elemta-executive'
  | 'elemta-slo'
  | 'elemta-troubleshooting'

export type RecordingRule = Readonly<{ kind: 'record'; name: RecordName; expr: string }>

export type AlertRule = Readonly<{
  kind: 'alert'
  name: string
  expr: string
  /** Milliseconds that `expr` must hold; already scaled. */
  for: number
  severity: Severity
  team: Team
  slo?: Slo
  /** More labels, which tell alerts of one name apart. */
  labels?: Readonly<Record<string, string>>
  /** One line; Go templates as Prometheus has them. */
  summary: string
  /** What is the case, with its value. */
  description: string
  dashboard: DashboardUid
  /** The settings of monitoring/thresholds.ts that decide when it fires. */
  thresholds: readonly ThresholdName[]
}>

export type Rule = RecordingRule | AlertRule

/** Rules that are evaluated one after the other. `interval` in milliseconds; without it the server's. */
export type RuleGroup = Readonly<{ name: string; interval?: number; rules: readonly Rule[] }>
