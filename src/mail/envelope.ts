// The envelope: who sent a message and to whom it goes, as said in MAIL and RCPT. The header section says nothing here.

/** A RCPT address; outcomes are kept per recipient. `address` has its domain in lower-case ASCII (RFC 5890 A-labels). */
export type Recipient = Readonly<{
  address: string
  /** What the sender wants to be told of (RFC 3461 §4.1); absent: of failures and delays. `[]` is NEVER. */
  notify?: readonly DsnOccasion[]
  /** The address as it was first written, `rfc822;bob@example.com`, decoded (RFC 3461 §4.2). */
  originalRecipient?: string
}>

export type DsnOccasion = 'success' | 'failure' | 'delay'

export type Envelope = Readonly<{
  /** MAIL FROM address, where DSNs go; '' is the null sender. */
  reversePath: string
  recipients: readonly Recipient[]
  /** MAIL carried SMTPUTF8 (RFC 6531): addresses or header may hold UTF-8. */
  smtputf8: boolean
  /** BODY= of MAIL (RFC 6152); '7BIT' where none was given. */
  body: '7BIT' | '8BITMIME'
  /** How much of the message a report should hold, and the sender's own name for it, decoded (RFC 3461 §4.3, §4.4). */
  ret?: 'full' | 'headers'
  envelopeId?: string
}>

/** Who handed us the message, as far as we know it ourselves; everything but `helo` is observed, not claimed. */
export type Client = Readonly<{
  /** IP address, IPv4-mapped ones as plain IPv4; `local` for what we wrote ourselves. */
  address: string
  port: number
  /** What it said in HELO/EHLO: a claim. */
  helo: string
  esmtp: boolean
  /** Authenticated user (submission). */
  user?: string
  /** TLS version and cipher when the session is encrypted. */
  tls?: string
}>

/** The domain of an address in lower case, '' for an address without one (the null sender, `postmaster`). */
export function domainOf(address: string): string {
  const at = address.lastIndexOf('@')
  return at === -1 ? '' : address.slice(at + 1).toLowerCase()
}
