// Everything that `elemta cost` tells: the lines of our own home, what else there is, and where they meet.
import type { Prices } from '../../src/platform/prices.ts'
import { deploymentSettings } from '../deployment-settings.ts'
import { alternatives, breakEven } from './alternatives.ts'
import { estimate, total } from './estimate.ts'
import { type Footprint, footprintOf, type Load } from './load.ts'
import type { Report } from './table.ts'

export type ReportOptions = Readonly<{
  load: Load
  region: string
  prices: Prices
  nextHop: Footprint['nextHop']
  /** Settings of a stage; without them the defaults. */
  input?: unknown
}>

/** What has no default, and costs nothing. */
export const ANY = {
  stage: 'any',
  region: 'us-east-1',
  hostname: 'mx.example.com',
  domains: ['example.com'],
  routes: [{ domains: ['*'], to: 'mx:' }],
}

/** Throws SettingsError when `input` makes no sense. */
export function reportOf({ load, region, prices, nextHop, input = ANY }: ReportOptions): Report {
  const footprint = footprintOf(deploymentSettings(input), nextHop)
  const ours = (messages: number) => total(estimate({ ...load, messages }, footprint, prices))
  return {
    load,
    region,
    lines: estimate(load, footprint, prices),
    alternatives: alternatives(load, prices).map(other => ({
      ...other,
      breakEven: breakEven(ours, messages => other.cost({ ...load, messages })),
    })),
  }
}
