// Texts of the records table, packed: DynamoDB bills a write by the KiB, and what a message says of itself is JSON that
// says the same names again and again. Raw DEFLATE with a dictionary of those names brings it to a third.
// The first octet says which dictionary: one that items were packed with stays here as long as they do. Unpacking what
// this did not pack rejects.
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** Names and values that records are made of; what is most frequent comes last, where references to it are short. */
const FIRST = [
  'GREYLIST BAYES_HAM BAYES_SPAM URIBL_BLOCKED RBL_SPAMHAUS_ZEN RCVD_IN_DNSWL_NONE RCVD_IN_DNSWL_MED DWL_DNSWL_NONE MAILLIST',
  'HFILTER_HELO_5 HFILTER_HOSTNAME_UNKNOWN RDNS_NONE FORGED_SENDER FREEMAIL_FROM FREEMAIL_ENVFROM NEURAL_HAM NEURAL_SPAM',
  'MANY_INVISIBLE_PARTS HTML_SHORT_LINK_IMG_1 R_PARTS_DIFFER SUBJECT_ENDS_QUESTION PREVIOUSLY_DELIVERED HAS_REPLYTO REPLYTO_ADDR_EQ_FROM',
  'HAS_LIST_UNSUB HAS_ATTACHMENT HAS_X_PRIO_THREE FROM_NO_DN TO_DN_SOME TO_DN_EQ_ADDR_ALL TO_DN_NONE PRECEDENCE_BULK MISSING_XM_UA MISSING_MID MISSING_DATE',
  'DMARC_POLICY_ALLOW DMARC_POLICY_SOFTFAIL DMARC_NA R_SPF_ALLOW R_SPF_NA R_SPF_SOFTFAIL R_SPF_FAIL R_DKIM_ALLOW R_DKIM_NA R_DKIM_REJECT DKIM_TRACE ARC_ALLOW ARC_REJECT',
  'RCVD_VIA_SMTP_AUTH RCVD_COUNT_ZERO RCVD_COUNT_ONE RCVD_COUNT_TWO RCVD_COUNT_THREE RCVD_COUNT_FIVE RCVD_TLS_ALL RCVD_TLS_LAST',
  'RCPT_COUNT_ONE RCPT_COUNT_TWO RCPT_COUNT_THREE TO_MATCH_ENVRCPT_ALL TO_MATCH_ENVRCPT_SOME FROM_NEQ_ENVFROM MID_RHS_NOT_FQDN MID_RHS_MATCH_FROM ASN MIME_TRACE',
  '{"attempt":1,"priority":"high","headers":[{"name":"X-Virus-Scanned","value":"ClamAV"},{"name":"X-Virus-Status","value":"Clean"},{"name":"X-Spam-Status","value":"No, score=-0.10 required=15.00"},{"name":"X-Spam-Score","value":"-0.10"},{"name":"Authentication-Results","value":"mx.example.com;\\r\\n\\tnone"}]}',
  '{"client":{"address":"192.0.2.","port":4,"name":"mail.","helo":"mail.","esmtp":true,"tls":"TLSv1.3 TLS_AES_256_GCM_SHA384","user":"","protocol":"ESMTPS"},"reversePath":"","recipients":[{"address":"@","notify":["failure"]}],"ret":"hdrs","tags":[{"name":"","value":""}]',
  '"tlsVerified":true,"tlsFailure":"","event":"failed","event":"quarantined","recipients":["","event":"reported","action":"","decision":"tag","could-not-scan","failure":"timeout","signature":"kind":"virus"',
  'dkim=pass header.d= header.s=default header.b=;\\r\\n\\tdmarc=pass (policy=none) header.from=;\\r\\n\\tspf=pass (mx.example.com: domain of  designates as permitted sender) smtp.mailfrom=',
  '[{"at":1795347197019,"event":"scanned","findings":[{"scanner":"clamav","kind":"clean"},{"scanner":"rspamd","kind":"scored","score":-0.1,"requiredScore":15,"action":"no action","symbols":{"ARC_NA":0,"TO_DN_ALL":0,"FROM_HAS_DN":0,"TO_MATCH_ENVRCPT_ALL":0,"MIME_GOOD":-0.1,"FROM_EQ_ENVFROM":0,"MIME_TRACE":0},"headers":[{"name":"Authentication-Results","value":"mx.example.com;\\r\\n\\tnone"}]}],"seconds":0.28185},{"at":1795347197019,"event":"verdict","decision":"deliver","why":"clean (ClamAV), score -0.1 of 15 (Rspamd)"}]',
  '[{"at":1795347197122,"event":"delivered","recipient":"","nextHop":"smtp://","reply":"250 2.0.0 Ok: queued as ","seconds":0.044,"tls":"TLSv1.3 TLS_AES_256_GCM_SHA384"}]',
  '{"event":"accepted","at":1795347196634,"reply":"250 2.0.0 Ok: queued as 1M81GG',
  '{"queueId":"1M81GG","acceptedAt":179534719,"client":{"address":"127.0.0.1","port":40,"helo":"","esmtp":true},"envelope":{"reversePath":"@","smtputf8":false,"body":"8BITMIME","recipients":[{"address":"@example.com"}]},"size":7,"messageId":"<@.com>"}',
].join('\n')

const DICTIONARIES: readonly Buffer[] = [Buffer.from(FIRST)]
const NEWEST = 0

export function pack(text: string): Uint8Array {
  return Buffer.concat([Buffer.of(NEWEST), deflateRawSync(text, { dictionary: DICTIONARIES[NEWEST]!, level: 9 })])
}

export function unpack(packed: unknown): string {
  const octets = Buffer.from(packed as Uint8Array)
  const dictionary = DICTIONARIES[octets[0]!]
  if (dictionary === undefined) throw new Error(`packed by a later version (dictionary ${octets[0]})`)
  return inflateRawSync(octets.subarray(1), { dictionary }).toString()
}
