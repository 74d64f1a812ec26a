// Messages for scanning: plain text that reads like ordinary mail, every one different, so that no scanner answers
// from a cache. The same seed gives the same messages, so every server gets the same work.

const WORDS = `about account after again agenda answer april around arrange article attached autumn available because
before between board bridge budget building business calendar change chapter city client coffee colleague comment
company complete concert conference contract copy corner country course customer daily date decide delivery department
design detail different dinner discuss document draft early east edition engine enough evening event example expect
family figure final finish first follow forest form friday friend garden general glad group half harbour history holiday
hotel house idea improve include interest invoice island issue january journal journey kitchen language large later
learn leave lesson letter library list local lunch machine market meeting member message middle minute monday month
morning mountain museum music nature need neighbour network news next north note notice number october offer office
opinion order other paper part people person photo picture plan plant please point possible prepare present price
print problem project proposal question quick quiet railway reader reason receive record remember report request
result return review river room school season second section series share short simple since small south speak spring
station story street student summer sunday support table teacher team thank theatre thursday ticket together tomorrow
topic town train travel tuesday update useful version village visit wait water weather website week welcome west while
window winter without woman wonder word work workshop world write year yesterday young`.split(/\s+/)

/** A stream of messages of about `size` octets each (with header, without dots to stuff), CRLF line ends. */
export function* distinctMessages(size: number, seed: number): Generator<Buffer> {
  const random = sequence(seed)
  const words = (count: number) => Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]!)
  for (let number = 1; ; number++) {
    const lines = [
      `From: Anna Example <sender@example.org>`,
      `To: Ben Example <recipient@example.test>`,
      `Subject: ${words(5).join(' ')}`,
      `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <${seed}.${number}@example.org>`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      '',
    ]
    let octets = lines.join('\r\n').length + 2
    while (octets < size) {
      const line = words(10).join(' ')
      lines.push(line)
      octets += line.length + 2
    }
    yield Buffer.from(`${lines.join('\r\n')}\r\n`)
  }
}

/** A base64 attachment of about `size` octets, the first lines different for each: for memory, not for the text rules. */
export function largeMessage(size: number, number: number): Buffer {
  const head = `From: sender@example.org\r\nTo: recipient@example.test\r\nSubject: attachment ${number}\r\nDate: Thu, 01 Jan 2026 09:00:00 +0000\r\nMessage-ID: <large.${number}.${Date.now()}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n`
  const line = `${'QUJDRA'.repeat(12)}${String(number).padStart(4, 'A')}\r\n`
  return Buffer.from(head + line.repeat(Math.max(0, Math.floor((size - head.length) / line.length))))
}

/** Numbers in 0 … 1, the same for the same seed (xorshift32). */
function sequence(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
