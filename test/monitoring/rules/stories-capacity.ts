// Capacity: disk, certificates, the greylist. Certificates are told in hours, and time begins in 1970.
import { gauge, NONE, type RuleStories, type Series } from './story.ts'

const FREE = 'elemta_disk_free_bytes{instance="a"}'
const size: Series = { 'elemta_disk_size_bytes{instance="a"}': '1000+0x600' }
const here = [{ instance: 'a' }]

const EXPIRY = 'elemta_tls_certificate_expiry_seconds{certificate="mx.example.com",instance="a"}'
const mx = [{ certificate: 'mx.example.com' }]
const DAY = 86_400

/** A certificate that ends `days` after the rule's limit, looked at by the hour. */
const certificate = (days: number): RuleStories['stories'] => {
  const told = (values: string, ...steps: RuleStories['stories']['fires'][number]['steps']) => ({
    series: { [EXPIRY]: values },
    steps,
  })
  const ends = (days + 1) * DAY
  return {
    // At 24 hours exactly `days` are left, at 25 fewer; an hour later it is told.
    fires: [told(`${ends}+0x60`, ['25h', NONE], ['26h', mx])],
    boundary: [told(`${ends}+3600x60`, ['26h', NONE], ['60h', NONE]), told(`${ends}+0x24`, ['24h', NONE])],
    resolves: [told(`${ends}+0x30 ${ends + 90 * DAY}+0x20`, ['30h', mx], ['31h', NONE])],
    absent: [{ series: {}, steps: [['48h', NONE]] }],
    restart: [told(`${ends}+0x24 stale ${ends + 90 * DAY}+0x20`, ['25h', NONE], ['30h', NONE])],
  }
}

export const capacityStories: readonly RuleStories[] = [
  {
    alert: 'DiskSpaceLow',
    severity: 'warning',
    value: '9.9%',
    stories: {
      fires: [
        ...gauge(FREE, { limit: 100, over: 99, wait: 10, firing: here, beside: size }).fires,
        // 38 % are free, but in less than a day nothing will be.
        {
          series: { [FREE]: '500-0.4x600', ...size },
          steps: [
            ['240m', NONE],
            ['262m', here],
            ['300m', here],
          ],
        },
      ],
      boundary: [
        ...gauge(FREE, { limit: 100, over: 99, wait: 10, firing: here, beside: size }).boundary,
        // It falls as fast, but much is free still; and it falls, but lasts for days.
        {
          series: { [FREE]: '1000-0.4x600', ...size },
          steps: [
            ['300m', NONE],
            ['600m', NONE],
          ],
        },
        {
          series: { [FREE]: '300-0.05x600', ...size },
          steps: [
            ['300m', NONE],
            ['600m', NONE],
          ],
        },
      ],
      resolves: gauge(FREE, { limit: 300, over: 99, wait: 10, firing: here, beside: size }).resolves.map(story => ({
        ...story,
        // The trend of six hours remembers the fall for as long; then it is over.
        series: { ...size, [FREE]: '99+0x20 900+0x600' },
        steps: [
          ['12m', here],
          ['20m', here],
          ['30m', NONE],
        ],
      })),
      absent: [
        { series: {}, steps: [['30m', NONE]] },
        { series: size, steps: [['30m', NONE]] },
        { series: { [FREE]: '1+0x30' }, steps: [['30m', NONE]] },
      ],
      restart: [
        ...gauge(FREE, { limit: 500, over: 500, wait: 10, firing: here, beside: size }).restart,
        {
          series: { ...size, [FREE]: '99+0x8 stale 99+0x8' },
          steps: [
            ['10m', NONE],
            ['17m', NONE],
          ],
        },
      ],
    },
  },
  {
    alert: 'DiskSpaceLow',
    severity: 'critical',
    value: '4.9%',
    stories: gauge(FREE, { limit: 50, over: 49, wait: 10, firing: here, beside: size }),
  },
  { alert: 'CertificateExpiring', severity: 'warning', every: '1h', value: '20d 22h 0m 0s', stories: certificate(21) },
  { alert: 'CertificateExpiring', severity: 'critical', every: '1h', value: '6d 22h 0m 0s', stories: certificate(7) },
  {
    alert: 'LargeGreylistingDatabase',
    severity: 'warning',
    value: '100k',
    // Instances share the greylist: they are not added up.
    stories: gauge('elemta_greylisting_active{instance="a"}', {
      ...{ limit: 100_000, over: 100_001, wait: 30 },
      beside: { 'elemta_greylisting_active{instance="b"}': '100000+0x200' },
    }),
  },
]
