// Which alert makes which others needless: the cause silences its consequences while it fires, and only those of the
// same thing. A warning never silences a critical alert, and nothing ever silences the Watchdog.
import type { Matcher } from './tree.ts'

export type Inhibition = Readonly<{
  why: string
  source: readonly Matcher[]
  target: readonly Matcher[]
  /** Labels that both must have alike (missing in both is alike). */
  equal: readonly string[]
}>

/** Warnings and information: what a cause that is no more than a warning may silence. */
const LESSER: Matcher = ['severity', '=~', 'warning|info']

export const INHIBITIONS: readonly Inhibition[] = [
  {
    why: 'the second stage of an alert makes its first needless',
    source: [['severity', '=', 'critical']],
    target: [LESSER],
    equal: ['alertname', 'instance', 'scanner', 'queue_type', 'certificate', 'route'],
  },
  {
    why: 'an instance that is down has no other trouble',
    source: [
      ['alertname', '=', 'ElemtaDown'],
      ['instance', '!=', ''],
    ],
    target: [
      ['alertname', '!~', 'ElemtaDown|Watchdog'],
      ['escalates', '!=', 'ElemtaDown'],
    ],
    equal: ['instance'],
  },
  {
    why: 'while Elemta is down no canary comes through',
    source: [['alertname', '=', 'ElemtaDown']],
    target: [['alertname', '=', 'CanaryMissing']],
    equal: [],
  },
  {
    why: 'a scanner that is down is slow, too',
    source: [['alertname', '=', 'ScannerDown']],
    target: [['alertname', '=', 'SecurityScanLatencyHigh'], LESSER],
    equal: [],
  },
  {
    why: 'without clamd nobody knows how old its signatures are',
    source: [
      ['alertname', '=', 'ScannerDown'],
      ['scanner', '=', 'clamav'],
    ],
    target: [['alertname', '=~', 'ClamAVDatabaseOutdated|SignatureUpdateFailing'], LESSER],
    equal: [],
  },
  {
    why: 'without Rspamd its share of spam says nothing',
    source: [
      ['alertname', '=', 'ScannerDown'],
      ['scanner', '=', 'rspamd'],
    ],
    target: [['alertname', '=~', 'RspamdHighSpamRate|SpamRateAnomaly'], LESSER],
    equal: [],
  },
  {
    why: 'mail is refused because too much waits, or no room is left: the rest follows from that',
    source: [['alertname', '=', 'BackPressure']],
    target: [['alertname', '=~', 'QueueSizeGrowing|OldestMessageTooOld|MailVolumeAnomaly'], LESSER],
    equal: [],
  },
  {
    why: 'a destination that is down makes the queue long and its mail old',
    source: [['alertname', '=', 'DestinationDown']],
    target: [['alertname', '=~', 'QueueSizeGrowing|OldestMessageTooOld'], LESSER],
    equal: [],
  },
]
