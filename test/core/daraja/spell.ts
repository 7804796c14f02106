import { constantFrom, type GeneratorValue, integer, nat } from 'fast-check'

// Spelling one thing in the many ways that JSON and HTTP allow; each choice is drawn, so that a failure shrinks to the
// spelling that matters.

type Draw = GeneratorValue

const oneOf = <Value>(draw: Draw, ...values: readonly Value[]): Value =>
  draw(constantFrom<Value[]>, ...values)
const chance = (draw: Draw, oneIn: number): boolean => draw(nat, oneIn - 1) === 0

/** White space that JSON allows between tokens. */
const gap = (draw: Draw): string => (chance(draw, 4) ? oneOf(draw, ' ', '\n', '\r\n', '\t', '  \n ') : '')

/** A string literal, with some of its characters escaped. */
export const spellString = (draw: Draw, text: string): string => {
  if (chance(draw, 2)) return JSON.stringify(text)
  const every = draw(integer, { min: 1, max: 5 })
  const units = Array.from({ length: text.length }, (_, index) => {
    const unit = text.charAt(index)
    if (index % every !== 0) return JSON.stringify(unit).slice(1, -1)
    const hex = text.charCodeAt(index).toString(16).padStart(4, '0')
    return `\\u${chance(draw, 2) ? hex : hex.toUpperCase()}`
  })
  return `"${units.join('')}"`
}

/** A code as a string or, where JSON can write it so, as a number. */
export const spellCode = (draw: Draw, code: string): string =>
  /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(code) && chance(draw, 2) ? code : spellString(draw, code)

/** White space that people take for none. */
const BLANKS = ['', '', ' ', '  ', '\t', '\n', '\u00a0', '\ufeff', '\u2003']

export const pad = (draw: Draw, text: string): string =>
  oneOf(draw, ...BLANKS) + text + oneOf(draw, ...BLANKS)

/** The same words in another case, with other blanks between and around them. */
export const rephrase = (draw: Draw, text: string): string => {
  const cased = oneOf(draw, text, text.toLowerCase(), text.toUpperCase())
  return pad(draw, cased.replaceAll(' ', oneOf(draw, ' ', '  ', '\t', '\u00a0')))
}

/** A name in another case: for the fields of errors only. */
export const recase = (draw: Draw, name: string): string =>
  oneOf(
    draw,
    name,
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.charAt(0).toUpperCase() + name.slice(1),
  )

/** What may stand beside the fields that are read. */
const NEIGHBOURS: readonly string[] = [
  '"requestId":"r"',
  '"requestId":null',
  '"CustomerMessage":"Success. Request accepted for processing"',
  '"extra":{"a":[1,{"ResultCode":0,"errorCode":"x"}],"b":null}',
  '"extra":1,"extra":-0',
  '"":""',
  '"__proto__":{"ResultCode":0}',
  '"constructor":1',
  '"toString":"x"',
  '"n":1e400',
  '"s":"\\ud83d"',
]

/** An object of members (name and value, both as JSON), in any order, among neighbours. */
export const spellObject = (draw: Draw, members: readonly string[]): string => {
  const all = [...members]
  for (let count = draw(nat, 3); count > 0; count -= 1) all.push(oneOf(draw, ...NEIGHBOURS))
  const ordered: string[] = []
  for (const member of all) ordered.splice(draw(nat, ordered.length), 0, member)
  return `{${ordered.map((member) => gap(draw) + member + gap(draw)).join(',')}}`
}

export const member = (draw: Draw, name: string, value: string): string =>
  `${spellString(draw, name)}${gap(draw)}:${gap(draw)}${value}`

/** A whole document: a byte order mark, blanks at its ends. */
export const spellDocument = (draw: Draw, json: string): string =>
  (chance(draw, 4) ? '\ufeff' : '') + gap(draw) + json + gap(draw)

/** An HTTP answer with this body, as bytes: in one length, in chunks, or until the connection ends. */
export const spellAnswer = (draw: Draw, status: number, body: string): Buffer => {
  const bytes = Buffer.from(body)
  const head = [
    `HTTP/1.1 ${status} ${oneOf(draw, 'OK', '', 'Internal Server Error', 'Invalid Access Token')}`,
  ]
  head.push(
    `${oneOf(draw, 'Content-Type', 'content-type', 'CONTENT-TYPE')}: ${oneOf(
      draw,
      'application/json;charset=UTF-8',
      'application/json',
      'text/html',
      'text/plain; charset=iso-8859-1',
    )}`,
  )
  const framing = oneOf(draw, 'length', 'chunked', 'close')
  if (framing === 'length') head.push(`content-length:${bytes.length}`)
  if (framing === 'chunked') head.push('Transfer-Encoding: chunked')
  if (framing === 'close' || chance(draw, 2)) head.push('Connection: close')
  const sent = framing === 'chunked' ? inChunks(bytes, draw(integer, { min: 1, max: 400 })) : bytes
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), sent])
}

const inChunks = (bytes: Buffer, size: number): Buffer => {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}
