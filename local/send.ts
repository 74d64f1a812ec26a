// Sends a sample to the gateway of this machine's configuration and follows its record to the end.
import { openEmbeddedReadOnly } from '../src/backends.ts'
import type { NextHop } from '../src/deliver/next-hop.ts'
import { DEFAULT_TIMEOUTS } from '../src/deliver/smtp-connection.ts'
import { openSession, quit } from '../src/deliver/smtp-session.ts'
import { runTransaction } from '../src/deliver/smtp-transaction.ts'
import { isFinal, type MessageRecord } from '../src/mail/record.ts'
import type { Config } from '../src/platform/config.ts'
import { EXIT, ExitError } from '../src/platform/exit.ts'
import { describeEvent } from '../src/spool/trace.ts'
import { type SampleName, sampleMail } from './samples.ts'

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
  const reply = await transmit(mail, recipient, nextHopOf(config))
  say(`  ${reply}`)
  const queueId = /^250.* ([0-9A-Z]{20})$/.exec(reply)?.[1]
  return queueId !== undefined && follow(queueId, config)
}

function nextHopOf({ listeners }: Config): NextHop {
  const { address, port } = listeners.find(({ mode }) => mode === 'mx') ?? listeners[0]!
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address
  return { protocol: 'smtp', host, port }
}

/** One transaction by the delivery's own client; returns the last reply. */
async function transmit(mail: Buffer, recipient: string, nextHop: NextHop): Promise<string> {
  const attempt = { endBy: performance.now() + PATIENCE }
  const options = { hostname: 'sender.example', timeouts: DEFAULT_TIMEOUTS }
  const session = await openSession(nextHop, options, attempt).catch((error: Error) => {
    const where = `${nextHop.host}:${nextHop.port}`
    const message = `no gateway answers on ${where} (${error.message}); start one with "npm start"`
    throw new ExitError(EXIT.unavailable, message, { cause: error })
  })
  let said = ''
  const transaction = {
    reversePath: SENDER,
    recipients: [recipient],
    smtputf8: false,
    body: '8BITMIME',
    size: mail.length,
    async *content() {
      yield mail
    },
    headerHasUtf8: async () => false,
  } as const
  const report = async (results: readonly { reply: string }[]) => {
    said = results[0]?.reply ?? said
  }
  await runTransaction(session, transaction, { ...attempt, timeouts: DEFAULT_TIMEOUTS, report })
  await quit(session, 1000)
  return said
}

/** Prints the steps of the record as they come. */
async function follow(queueId: string, config: Config): Promise<boolean> {
  const reader = await openEmbeddedReadOnly({ dataDir: config.data_dir, now: Date.now })
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
