// What is unusual for the hour, told by the hour: six days as always, and then something else.
import { NONE, ONE, type RuleStories, type Series, type Story } from './story.ts'

const WEEK = 123

const volume = (...parts: readonly string[]): Series => ({
  'elemta_messages_received_total{instance="a"}': parts.join(' '),
})
const mail = (spam: readonly string[], ham: readonly string[]): Series => ({
  'elemta_rspamd_spam_total{instance="a"}': spam.join(' '),
  'elemta_rspamd_ham_total{instance="a"}': ham.join(' '),
})
const told = (series: Series, ...steps: Story['steps']): Story => ({ series, steps })

/** So much an hour for `hours`, then so much; counters from zero. */
const change = (before: number, after: number, hours = WEEK): [string, string] => [
  `0+${before}x${hours - 1}`,
  `${(hours - 1) * before + after}+${after}x10`,
]
/** For three hours something else, then as before. */
const episode = (usual: number, other: number): [string, string, string] => {
  const then = (WEEK - 1) * usual
  return [`0+${usual}x${WEEK - 1}`, `${then + other}+${other}x2`, `${then + 3 * other + usual}+${usual}x10`]
}

export const anomalyStories: readonly RuleStories[] = [
  {
    alert: 'MailVolumeAnomaly',
    severity: 'info',
    every: '1h',
    value: '40',
    stories: {
      fires: [
        told(volume(...change(200, 1000)), ['123h', NONE], ['124h', ONE]),
        // No mail at all is as unusual.
        told(volume(...change(1000, 0)), ['123h', NONE], ['124h', ONE]),
      ],
      boundary: [
        // Three deviations, and a tenth of the mean is one.
        told(volume(...change(200, 260)), ['124h', NONE], ['130h', NONE]),
        // Four days are known, and five are needed: a young Prometheus is silent.
        told(volume(...change(200, 5000, 85)), ['86h', NONE], ['90h', NONE]),
        // Unusual, but so little mail that it says nothing.
        told(volume(...change(5, 90)), ['124h', NONE], ['130h', NONE]),
      ],
      resolves: [told(volume(...episode(200, 1000)), ['124h', ONE], ['128h', NONE])],
      absent: [told({}, ['132h', NONE])],
      restart: [told(volume(`0+200x${WEEK - 1}`, '0+200x10'), ['123h', NONE], ['125h', NONE], ['130h', NONE])],
    },
  },
  {
    alert: 'SpamRateAnomaly',
    severity: 'info',
    every: '1h',
    value: '30',
    stories: {
      fires: [told(mail(change(200, 800), change(800, 200)), ['123h', NONE], ['124h', ONE])],
      boundary: [
        // Less spam is no trouble.
        told(mail(change(500, 10), change(500, 990)), ['124h', NONE], ['130h', NONE]),
        told(mail(change(200, 256), change(800, 768)), ['124h', NONE], ['130h', NONE]),
        told(mail(change(200, 800, 85), change(800, 200, 85)), ['86h', NONE], ['90h', NONE]),
        // Of ten messages eight.
        told(mail(change(2, 8), change(8, 2)), ['124h', NONE], ['130h', NONE]),
      ],
      resolves: [told(mail(episode(200, 800), episode(800, 200)), ['124h', ONE], ['128h', NONE])],
      absent: [told({}, ['132h', NONE]), told(mail(change(0, 0), change(0, 0)), ['124h', NONE])],
      restart: [
        told(
          mail([`0+200x${WEEK - 1}`, '0+200x10'], [`0+800x${WEEK - 1}`, '0+800x10']),
          ['123h', NONE],
          ['125h', NONE],
          ['130h', NONE],
        ),
      ],
    },
  },
]
