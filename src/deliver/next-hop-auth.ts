// Logs in at a next hop: PLAIN (RFC 4616), else LOGIN; only under TLS (RFC 4954 §4: the password is readable).
// Every refusal is a NextHopError: the operator's mistake must cost nobody's mail. It names the user, never the password.
import type { NextHop } from './next-hop.ts'
import { NextHopError, type SmtpConnection } from './smtp-connection.ts'
import { type NextHopReply, replyLine } from './smtp-reply-parser.ts'

/** RFC 5321 §4.5.3.1.4, with CRLF. */
const LONGEST_COMMAND = 512
const CONTINUE = 334

type Login = NonNullable<NextHop['auth']>

/** `mechanisms` are the parameters of AUTH in the reply to EHLO; undefined where it did not offer AUTH. */
export async function authenticate(
  connection: SmtpConnection,
  login: Login,
  mechanisms: string | undefined,
  timeout: number,
): Promise<void> {
  const offered = mechanisms?.toUpperCase().split(/\s+/) ?? []
  const endBy = performance.now() + timeout
  async function say(line: string): Promise<NextHopReply> {
    connection.write(`${line}\r\n`)
    return await connection.reply('AUTH', Math.max(0, endBy - performance.now()))
  }
  const reply = await exchange(offered, login, say)
  if (reply.code !== 235) throw refused(login, replyLine(reply))
}

async function exchange(
  offered: readonly string[],
  { user, password }: Login,
  say: (line: string) => Promise<NextHopReply>,
): Promise<NextHopReply> {
  if (offered.includes('PLAIN')) {
    const response = base64(`\0${user}\0${password}`)
    const command = `AUTH PLAIN ${response}`
    if (command.length + 2 <= LONGEST_COMMAND) return await say(command)
    const reply = await say('AUTH PLAIN')
    return reply.code === CONTINUE ? await say(response) : reply
  }
  if (offered.includes('LOGIN')) {
    let reply = await say('AUTH LOGIN')
    for (const answer of [user, password]) {
      if (reply.code !== CONTINUE) return reply
      reply = await say(base64(answer))
    }
    return reply
  }
  throw new NextHopError(`no login as ${user}: the next hop offers neither PLAIN nor LOGIN`, 'session')
}

/** Some next hops repeat what they were told. */
function refused({ user, password }: Login, said: string): NextHopError {
  const secrets = [base64(`\0${user}\0${password}`), base64(password), password]
  const safe = secrets.reduce((text, secret) => text.replaceAll(secret, '…'), said)
  return new NextHopError(`no login as ${user}: ${safe}`, 'session')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
