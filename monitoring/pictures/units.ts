// Values as Grafana writes them, for the units that the dashboards use. Self-contained: the page gets its source, too.

/** `1.5 min`, `12.3%`, `4 MiB`, `1.2 K`. */
export function formatValue(value: number, unit: string, decimals?: number): string {
  if (Number.isNaN(value)) return ''
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const scaled = (steps: readonly (readonly [number, string])[], gap: string) => {
    const size = Math.abs(value)
    const [factor, name] = steps.findLast(([from]) => size >= from) ?? steps[0]!
    return `${round(value / factor)}${name === '' ? '' : gap + name}`
  }
  const round = (number: number) => {
    const digits = decimals ?? (Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2)
    return String(Number(number.toFixed(digits)))
  }
  switch (unit) {
    case 's':
      if (value === 0) return '0 s'
      return scaled(
        [
          [1e-6, 'µs'],
          [1e-3, 'ms'],
          [1, 's'],
          [60, 'min'],
          [3600, 'hour'],
          [86_400, 'day'],
        ],
        ' ',
      )
    case 'percentunit':
      return `${Number((value * 100).toFixed(decimals ?? (Math.abs(value) < 0.1 ? 2 : 1)))}%`
    case 'bytes':
      return scaled(
        [
          [1, 'B'],
          [2 ** 10, 'KiB'],
          [2 ** 20, 'MiB'],
          [2 ** 30, 'GiB'],
          [2 ** 40, 'TiB'],
        ],
        ' ',
      )
    case 'bool_on_off':
      return value === 0 ? 'Off' : 'On'
    case 'dateTimeFromNow': {
      const minutes = (Date.now() - value) / 60_000
      if (minutes < 1) return 'a few seconds ago'
      if (minutes < 90) return `${Math.round(minutes)} minutes ago`
      if (minutes < 36 * 60) return `${Math.round(minutes / 60)} hours ago`
      if (minutes < 2 * 365 * 1440) return `${Math.round(minutes / 1440)} days ago`
      return `${Math.round(minutes / 1440 / 365)} years ago`
    }
    case 'locale':
      return Number(value.toFixed(decimals ?? 0)).toLocaleString('en-US')
    case 'none':
      return round(value)
    default: {
      const suffix = unit === 'ops' ? ' ops/s' : unit === 'cps' ? ' c/s' : ''
      const short = scaled(
        [
          [1, ''],
          [1000, 'K'],
          [1e6, 'Mil'],
          [1e9, 'Bil'],
        ],
        ' ',
      )
      return short + suffix
    }
  }
}
