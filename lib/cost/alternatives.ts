// What AWS's own ways to take mail cost for the same month, and from how many messages on ours costs less. None of them
// has greylisting, a quarantine, a queue to look into or our alerts; Mail Manager scans, SES alone does not.
import { type Prices, priceOf } from '../../src/platform/prices.ts'
import { GB, type Load } from './load.ts'

export type Alternative = Readonly<{ name: string; usd: number; cost(load: Load): number }>

const CHUNK = 256 * 1024

/** Assumed: a function of 128 MB works for 1.2 s on each message. */
const LAMBDA_GB_SECONDS = 0.15

export function alternatives(load: Load, prices: Prices): Alternative[] {
  const receive = ({ messages, octets }: Load) =>
    priceOf(prices.sesReceive, messages) +
    // Only chunks that are complete count.
    priceOf(prices.sesChunk, messages * Math.floor(octets / CHUNK)) +
    priceOf(prices.s3Put, messages) +
    priceOf(prices.s3Get, messages) +
    priceOf(prices.lambdaRequest, messages) +
    priceOf(prices.lambdaTime, messages * LAMBDA_GB_SECONDS)
  const guardDuty = ({ messages, octets }: Load) =>
    priceOf(prices.guardDutyObject, messages) + priceOf(prices.guardDutyData, (messages * octets) / GB)
  const manager = ({ messages }: Load) =>
    priceOf(prices.mailManagerEndpoint, 1) +
    priceOf(prices.mailManagerMessage, messages) +
    priceOf(prices.mailManagerVirus, messages) +
    priceOf(prices.mailManagerDnsbl, messages)
  const ways: Readonly<Record<string, (load: Load) => number>> = {
    'SES inbound + Lambda, unscanned': receive,
    'SES inbound + GuardDuty (viruses)': load => receive(load) + guardDuty(load),
    'SES Mail Manager (viruses, DNSBL)': manager,
    'SES Mail Manager (viruses, DNSBL, spam)': load => manager(load) + priceOf(prices.mailManagerSpam, load.messages),
  }
  return Object.entries(ways).map(([name, cost]) => ({ name, usd: cost(load), cost }))
}

const MOST = 1e10

/**
 * The number of messages in a month from which on `ours` costs no more than `theirs`, both of which grow with it;
 * undefined when it never does.
 */
export function breakEven(
  ours: (messages: number) => number,
  theirs: (messages: number) => number,
): number | undefined {
  if (ours(MOST) > theirs(MOST)) return undefined
  let [less, more] = [0, MOST]
  while (more - less > 1) {
    const middle = Math.floor((less + more) / 2)
    if (ours(middle) <= theirs(middle)) more = middle
    else less = middle
  }
  return more
}
