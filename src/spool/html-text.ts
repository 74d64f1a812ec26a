// HTML as text: what is between the tags, and where links, images and forms go to, as text behind them. Nothing is
// loaded, run or rendered; what a sheet of styles would hide is shown. Pure, one pass over the text.

/** Elements whose content is no text. */
const SILENT = new Set(['script', 'style', 'title', 'template'])
const BREAKS = new Set(['br', 'p', 'div', 'tr', 'li', 'table', 'ul', 'ol', 'h1', 'h2', 'h3', 'h4', 'hr', 'blockquote'])
const LONGEST_TAG = 10_000

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

export function htmlToText(html: string): string {
  const pieces: string[] = []
  let link: string | undefined
  let at = 0
  /** Of the next tag's end: looked for once, however many tags begin before it. */
  let close = html.indexOf('>')
  while (at < html.length) {
    const open = html.indexOf('<', at)
    if (open === -1) {
      pieces.push(html.slice(at))
      break
    }
    pieces.push(html.slice(at, open).replaceAll(/\s+/g, ' '))
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open)
      at = end === -1 ? html.length : end + '-->'.length
      continue
    }
    if (close !== -1 && close < open) close = html.indexOf('>', open)
    // A tag that never ends is shown, so that nothing hides in it.
    if (close === -1 || close - open > LONGEST_TAG) {
      pieces.push('<')
      at = open + 1
      continue
    }
    const tag = html.slice(open + 1, close)
    const name = /^\/?([a-z][a-z\d]*)/i.exec(tag)?.[1]?.toLowerCase() ?? ''
    at = close + 1
    if (BREAKS.has(name)) pieces.push('\n')
    if (name === 'a' && tag.startsWith('/')) {
      if (link !== undefined) pieces.push(` <${link}>`)
      link = undefined
    } else if (name === 'a') link = attribute(tag, 'href')
    else if (name === 'img' || name === 'iframe') pieces.push(`[${name} ${attribute(tag, 'src') ?? ''}]`)
    else if (name === 'form' && !tag.startsWith('/')) pieces.push(`[form ${attribute(tag, 'action') ?? ''}]`)
    else if (SILENT.has(name) && !tag.startsWith('/')) at = startOf(html, `</${name}`, at)
  }
  const text = decodeEntities(pieces.join(''))
  return text
    .split('\n')
    .map(line => line.trim())
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()
}

/** Of the next `mark`, without regard to case; the end where there is none. */
function startOf(html: string, mark: string, from: number): number {
  const pattern = new RegExp(mark, 'gi')
  pattern.lastIndex = from
  return pattern.exec(html)?.index ?? html.length
}

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}\\s{0,20}=\\s{0,20}(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag)
  return found?.[1] ?? found?.[2] ?? found?.[3]
}

function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole
  })
}
