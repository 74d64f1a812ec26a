// A report as somebody else's software reads it: Python's email package, whose complaints are handed on.
import { spawnSync } from 'node:child_process'

type Fields = Readonly<Record<string, string>>

export type ParsedReport = Readonly<{
  /** What is wrong with the message or one of its parts, in the parser's words. */
  defects: readonly string[]
  /** Field names in lower case, unfolded. */
  header: Fields
  /** Parameters of Content-Type. */
  reportType: string | null
  parts: readonly Readonly<{ type: string; encoding: string | null; text: string }>[]
  /** The groups of message/delivery-status: of the message, then of each recipient. */
  status: readonly Fields[]
}>

const PROGRAM = `
import email, email.policy, json, sys
policy = email.policy.SMTPUTF8
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=policy)
fields = lambda part: {name.lower(): str(value) for name, value in part.items()}
defects = [type(d).__name__ for part in message.walk() for d in part.defects]
defects += [type(d).__name__ for value in message.values() for d in getattr(value, 'defects', [])]
parts = []
status = []
for part in message.iter_parts() if message.is_multipart() else []:
    payload = part.get_payload()
    if part.get_content_type() == 'message/delivery-status':
        status = [fields(group) for group in payload]
        text = ''
    elif part.is_multipart():
        text = payload[0].as_bytes(policy=policy.clone(refold_source='none')).decode('latin1')
    else:
        text = part.get_payload(decode=True).decode('utf8', 'replace')
    parts.append({'type': part.get_content_type(), 'encoding': part['content-transfer-encoding'], 'text': text})
print(json.dumps({'defects': defects, 'header': fields(message), 'parts': parts, 'status': status,
    'reportType': message.get_param('report-type')}))
`

export function parseReport(content: Buffer): ParsedReport {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', PROGRAM], { input: content, encoding: 'utf8' })
  if (status !== 0) throw new Error(`python3 (Debian package python3) could not read the report: ${stderr}`)
  return JSON.parse(stdout) as ParsedReport
}
