// Plugins: hooks of all of them, and what the built-in policies count. A plugin's own metrics stand beside these, named
// `elemta_plugin_<plugin>_<name>` (src/plugins/plugin-metrics.ts).
import { type Group, LONG_SECONDS, SECONDS } from './definition.ts'

const PLUGIN = { from: 'the names in `plugins`' } as const

export const plugins = {
  pluginExecutions: {
    name: 'elemta_plugin_execution_total',
    type: 'counter',
    help: 'Hooks and scans run, by what came of it; log: refused, had mode been enforce',
    spike:
      'error, timeout: the plugin is broken or waits for something; reject, defer: it refuses more mail than before.',
    labels: { plugin: PLUGIN, outcome: { from: 'pass, tag, defer, reject, log, error, timeout …' } },
  },
  pluginTime: {
    name: 'elemta_plugin_execution_time_seconds',
    type: 'histogram',
    buckets: SECONDS,
    help: 'One hook, or one scan',
    spike: 'The plugin waits for something: DNS, a directory, a disk. Clients wait with it.',
    labels: { plugin: PLUGIN },
  },
  rateLimited: {
    name: 'elemta_rate_limited_total',
    type: 'counter',
    help: 'Deferred because a rate was exceeded',
    spike: 'Somebody sends too much: user_…: perhaps with a stolen password; or the limits are too narrow.',
    labels: { rate: ['connections', 'messages', 'recipients', 'octets', 'user_messages', 'user_recipients'] },
  },
  greylistingTotal: {
    name: 'elemta_greylisting_total',
    type: 'counter',
    help: 'Recipients that greylisting was asked about',
    spike: 'More mail from strangers.',
  },
  greylistingPassed: {
    name: 'elemta_greylisting_passed_total',
    type: 'counter',
    help: 'Recipients let through, and why',
    spike: 'store-failed: greylisting does nothing, since its store cannot be asked.',
    labels: {
      reason: [
        'waited', // came back after the delay
        'known', // the triplet has passed before
        'auto-allowed', // the client has passed often enough
        'allowlist',
        'spf', // SPF pass of a domain in spf_allow
        'unsuspicious', // only_suspicious, and nothing is
        'trusted', // authenticated, or of our networks
        'store-failed', // a greylist must not stop mail
      ],
    },
  },
  greylistingDeferred: {
    name: 'elemta_greylisting_deferred_total',
    type: 'counter',
    help: 'Recipients deferred, and why',
    spike: 'new: a wave from strangers, most of which will not come back; early: impatient clients.',
    labels: {
      reason: [
        'new',
        'early', // came back before the delay was over
      ],
    },
  },
  greylistingActive: {
    name: 'elemta_greylisting_active',
    type: 'gauge',
    help: 'Triplets remembered',
    spike: 'A wave of senders that were never seen before; it shrinks by itself when their time is over.',
  },
  greylistingCleanup: {
    name: 'elemta_greylisting_cleanup_total',
    type: 'counter',
    help: 'Triplets whose time was over, removed',
    spike: 'never-returned: spam that greylisting kept out; expired: correspondents that have gone quiet.',
    labels: {
      reason: [
        'expired', // it had passed before
        'never-returned', // deferred, and not seen again
      ],
    },
  },
  greylistingDelay: {
    name: 'elemta_greylisting_delay_seconds',
    type: 'histogram',
    buckets: LONG_SECONDS,
    help: 'From the first deferral to the pass: what greylisting cost',
    spike: 'Clients come back later: wanted mail of strangers is late by so much.',
  },
} as const satisfies Group
