// What a metric of the catalogue says of itself. The catalogue is data: metrics are made from it, docs/metrics.md is
// written from it, rules and dashboards are checked against it.
// Label values come from closed sets: listed here, or given by the configuration; never an address, a subject or a
// client's IP. What is listed stands at zero from the start, so that `rate()` and alerts never meet a missing series.

/** The values of a label: all of them, or in words where they come from when they are not known before the start. */
export type LabelValues = readonly string[] | Readonly<{ from: string }>

type About = Readonly<{
  name: string
  help: string
  /** What a rise means, or a fall where that is what matters: for whoever looks at a graph at night. */
  spike: string
  labels?: Readonly<Record<string, LabelValues>>
}>

export type Definition =
  | (About & Readonly<{ type: 'counter' | 'gauge' }>)
  | (About &
      Readonly<{
        type: 'histogram'
        buckets: readonly number[]
        /** Its buckets show the queue id of a message that fell into them (OpenMetrics). */
        exemplars?: true
      }>)

/** By the name that the code calls it. */
export type Group = Readonly<Record<string, Definition>>

export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
export const LONG_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 432000] as const
