// The gateway as a program, and the messages that it sends through itself to prove that it works.
import { type Group, SECONDS } from './definition.ts'

const KINDS = ['clean', 'eicar', 'gtube'] as const

export const process = {
  buildInfo: {
    name: 'elemta_build_info',
    type: 'gauge',
    help: 'Always 1: which version runs, and where its spool lives',
    spike: 'A new version label marks a deploy.',
    labels: { version: { from: 'package.json' }, home: { from: 'embedded, aws' } },
  },
  costUsd: {
    name: 'elemta_cost_usd_total',
    type: 'counter',
    help: 'Requests to AWS by what they cost at list prices of us-east-1, in US dollars, estimated; 0 without AWS',
    spike: 'More mail, or more requests for each message than there were: compare with elemta_messages_received_total.',
    labels: { component: ['s3', 'sqs', 'dynamodb'] },
  },
  configReloads: {
    name: 'elemta_config_reloads_total',
    type: 'counter',
    help: 'SIGHUP',
    spike: 'failure: the file on disk cannot be used, and the old configuration goes on; a restart would fail.',
    labels: { outcome: ['success', 'failure'] },
  },
  canarySent: {
    name: 'elemta_canary_sent_total',
    type: 'counter',
    help: 'Canary messages sent through the whole path',
    spike: 'One of each kind a minute; a fall: the canary itself has stopped.',
    labels: { kind: KINDS },
  },
  canaryResults: {
    name: 'elemta_canary_results_total',
    type: 'counter',
    help: 'What became of canary messages: as it should be, otherwise, or nothing in time',
    spike:
      'missing: mail does not come through; wrong: a scanner no longer finds what it is there for, or finds too much.',
    labels: { kind: KINDS, result: ['passed', 'wrong', 'missing'] },
  },
  canaryDuration: {
    name: 'elemta_canary_duration_seconds',
    type: 'histogram',
    buckets: SECONDS,
    exemplars: true,
    help: 'From sending a canary message to its end state',
    spike: 'All mail is as slow as that: look at the stages’ latencies for which one it is.',
    labels: { kind: KINDS },
  },
  canaryLastSuccess: {
    name: 'elemta_canary_last_success_timestamp_seconds',
    type: 'gauge',
    help: 'When a canary message last ended as it should, seconds since 1970; 0: not yet',
    spike: 'When it stands still, no mail of that kind gets where it should.',
    labels: { kind: KINDS },
  },
} as const satisfies Group
