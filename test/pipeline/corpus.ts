// Mails that other programs stumbled over: a corpus beside the checkout where there is one, else our own samples.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type CorpusMail = Readonly<{
  file: string
  /** As SMTP can carry it: lines end with CRLF, the last one too, and there is no NUL. */
  content: Buffer
}>

export function corpusMails(): CorpusMail[] {
  const corpus = ['../../../shared/corpus', '../../local/mail']
    .map(path => fileURLToPath(new URL(path, import.meta.url)))
    .find(path => existsSync(path))!
  return readdirSync(corpus, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(?:eml|txt|raw|msg)$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .map(file => ({ file, content: Buffer.from(asLines(readFileSync(file, 'latin1')), 'latin1') }))
}

function asLines(text: string): string {
  const lines = text.replaceAll(/\r\n|[\r\n]/g, '\r\n').replaceAll('\0', '')
  return lines.endsWith('\r\n') || lines === '' ? lines : `${lines}\r\n`
}
