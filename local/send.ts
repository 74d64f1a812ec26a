// Sends a sample to the gateway of this machine's configuration and follows its record to the end.
import type { NextHop } from '../src/deliver/next-hop.ts'
import { NextHopError } from '../src/deliver/smtp-connection.ts'
import { isFinal, type MessageRecord } from '../src/mail/record.ts'
import type { Config } from '../src/platform/config.ts'
import { EXIT, ExitError } from '../src/platform/exit.ts'
import { describeEvent } from '../src/spool/trace.ts'
import { openHomeReadOnly } from './home.ts'
import { type SampleName, sampleMail } from './samples.ts'
import { queueIdIn, transmit } from './transmit.ts'

/** How long to follow a message that does not come to an end, in milliseconds. */
const PATIENCE = 60_000
const LOOK_INTERVAL = 50
const SENDER = 'sample@sender.example'

/** Prints each step; true when the message came to an end or waits where it should, false when it was refused. */
export async function sendSample(
  sample: SampleName,
  { config, to }: Readonly<{ config: Config; to: string | undefined }>,
): Promise<boolean> {
  const recipient = to ?? `you@${config.relay.domains[0]?.replace(/^\*\./, '') ?? config.hostname}`
  const mail = sampleMail(sample, Date.now())
  say(`${sample}: ${mail.length} octets from <${SENDER}> to <${recipient}>`)
  const nextHop = nextHopOf(config)
  const letter = { mail, from: SENDER, to: recipient, nextHop, helo: 'sender.example', patience: PATIENCE }
  const reply = await transmit(letter).catch(error => {
    if (!(error instanceof NextHopError)) throw error
    const where = `${nextHop.host}:${nextHop.port}`
    const message = `no gateway answers on ${where} (${error.message}); start one with "npm start"`
    throw new ExitError(EXIT.unavailable, message, { cause: error })
  })
  say(`  ${reply}`)
  const queueId = queueIdIn(reply)
  return queueId !== undefined && follow(queueId, config)
}

function nextHopOf({ listeners }: Config): NextHop {
  const { address, port } = listeners.find(({ mode }) => mode === 'mx') ?? listeners[0]!
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address
  return { protocol: 'smtp', host, port }
}

/** Prints the steps of the record as they come. */
async function follow(queueId: string, config: Config): Promise<boolean> {
  const reader = await openHomeReadOnly(config, Date.now)
  try {
    const until = Date.now() + PATIENCE
    let shown = 1
    while (Date.now() < until) {
      const record = await reader.records.get(queueId)
      for (const event of record?.events.slice(shown) ?? []) say(`  ${describeEvent(event)}`)
      shown = Math.max(shown, record?.events.length ?? 0)
      if (record !== undefined && isSettled(record)) return true
      await new Promise(resolve => setTimeout(resolve, LOOK_INTERVAL))
    }
    say(`  still under way after ${PATIENCE / 1000} s: npx elemta trace ${queueId} tells more`)
    return false
  } finally {
    reader.close()
  }
}

/** Nothing more will happen soon: an end state, quarantine, or a wait for the next attempt. */
function isSettled({ recipients }: MessageRecord): boolean {
  return recipients.every(({ state }) => isFinal(state) || ['quarantined', 'held', 'deferred'].includes(state))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
