// Prices of another region or of a contract: a YAML file that names only what differs, by the names of src/platform/prices.ts.
// Everything wrong is told at once, as one ConfigError.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ConfigError, didYouMean } from '../../src/platform/config-errors.ts'
import { PRICES, type Price, type PriceName, type Prices } from '../../src/platform/prices.ts'

/** `s3Put: 5.4`: dollars for the same unit as in the sheet. */
export function loadPrices(file: string): Prices {
  const given = (parse(readFileSync(file, 'utf8')) ?? {}) as Readonly<Record<string, unknown>>
  const names = Object.keys(PRICES)
  const problems = Object.entries(given).flatMap(([key, value]) => {
    if (!names.includes(key)) return [{ file, key, message: `unknown price${didYouMean(key, names)}` }]
    const isPrice = typeof value === 'number' && value >= 0
    return isPrice ? [] : [{ file, key, message: `expected dollars, not ${JSON.stringify(value)}` }]
  })
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.fromEntries(
    Object.entries<Price>(PRICES).map(([name, price]) => {
      const { unverified: _, ...known } = price
      const usd = given[name as PriceName]
      return [name, usd === undefined ? price : { ...known, usd, source: file }]
    }),
  ) as Prices
}
