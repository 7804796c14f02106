import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CONSOLE_LIMITS, type ConsoleLimits } from '../../src/console/server.ts'
import { STATEMENT_BOUND } from '../../src/console/statements/import-statement.ts'
import { wholeFile } from '../../src/console/upload.ts'
import { createLog } from '../../src/runtime/log.ts'
import { statementOf } from '../core/statements/importing.ts'
import { eventually } from '../support/eventually.ts'
import { portalXlsx } from '../support/statements.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

const PATH = '/statements/import'

const BEGINNING =
  '--x\r\ncontent-disposition: form-data; name="file"; filename="november.csv"\r\ncontent-type: text/csv\r\n\r\n'

/** For clients that are slow on purpose: on a loaded machine all others are too. */
const HASTY = {
  ...CONSOLE_LIMITS,
  headersTimeoutMs: 500,
  requestTimeoutMs: 500,
  uploadTimeoutMs: 5_000,
  checkEveryMs: 50,
}

let test: TestConsole
let browser: TestBrowser
/** What the log of the console says at `warn` and above. */
const lines: string[] = []

const open = async (limits: ConsoleLimits): Promise<void> => {
  const log = createLog({ name: 'test', level: 'warn', to: { write: (line) => lines.push(line) } })
  test = await openConsole({ limits, parts: { log } })
  browser = await test.as('mend')
}

/** The head of a form with a file that is said to have so many bytes, as a browser of the console's sends it. */
const headOf = (path: string, bytes: number, by = browser): string => {
  const { host, origin } = new URL(test.url)
  const cookie = [...by.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    `origin: ${origin}`,
    ...(cookie === '' ? [] : [`cookie: ${cookie}`]),
    'content-type: multipart/form-data; boundary=x',
    `content-length: ${bytes}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A connection to the console: `came` grows as answers come, `ended` resolves when the console ends it. */
const openSocket = async () => {
  const socket = connect(Number(new URL(test.url).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (more) => (text += more))
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { socket, came: () => text, ended }
}

const countParts = async (): Promise<number> =>
  (await test.database.selectFrom('statement_uploads').select('at').execute()).length

describe('on the page of statements', () => {
  beforeAll(() => open(CONSOLE_LIMITS))
  afterAll(() => test.stop())

  describe('a statement that is sent by the page', () => {
    it('may be a workbook', async () => {
      const file = new File([new Uint8Array(await portalXlsx())], 'november.xlsx')
      const done = await browser.upload(PATH, { shortcode: '' }, file)
      expect(done).toMatchObject({ status: 303, location: '/statements/1' })
      expect((await browser.get('/statements/1')).body).toContain('november.xlsx')
      expect(await countParts()).toBe(0)
    })

    it.each([
      [{ 'sec-fetch-site': 'cross-site' }],
      [{ 'sec-fetch-site': 'same-site' }],
      [{ origin: 'https://evil.example' }],
    ])('is refused from a page of another site: %o', async (headers) => {
      const file = new File(
        [statementOf([{ receipt: 'TKP0000009', at: '2026-11-25T09:00:00Z' }])],
        'evil.csv',
      )
      expect((await browser.upload(PATH, {}, file, headers)).status).toBe(403)
      expect(await countParts()).toBe(0)
      const imported = await test.database.selectFrom('statements').select('file_name').execute()
      expect(imported.map(({ file_name }) => file_name)).not.toContain('evil.csv')
    })

    it.each([
      ['a.pdf', '%PDF-1.7', 'this is a PDF: export the statement as CSV or Excel'],
      ['a.txt', 'dear diary', 'this is no statement of M-PESA: none of its first 50 rows names the columns'],
    ])('is refused in a sentence where it is none: %s', async (name, content, why) => {
      const refused = await browser.upload(PATH, {}, new File([content], name))
      expect(refused.status).toBe(422)
      expect(refused.body).toContain(why)
      expect(refused.body).toContain('href="/statements"')
      expect(await countParts()).toBe(0)
    })
  })

  describe('a file that is too large', () => {
    it('is refused before it is sent, where its size is said, and what is sent all the same is not kept', async () => {
      const { socket, came } = await openSocket()
      socket.write(headOf(PATH, 3 * 1024 ** 3))
      await eventually(() => expect(came()).toContain('</html>'))
      expect(came()).toMatch(/^HTTP\/1\.1 413 /)
      expect(came()).toContain('The file has 3 GiB; a statement may have 1 GiB at most.')
      expect(came()).toContain('Export it for fewer days at a time')
      socket.write(BEGINNING + 'x'.repeat(1_000))
      expect(await countParts()).toBe(0)
      socket.destroy()
    })

    it('is refused where it turns out to be, its size not said', async () => {
      const taken: string[] = []
      const take = async (mostBytes: number): Promise<void> => {
        const pieces = Readable.from(['1234', '5678', '90'].map((piece) => Buffer.from(piece)))
        for await (const piece of wholeFile(pieces, { ...STATEMENT_BOUND, mostBytes }))
          taken.push(String(piece))
        expect(pieces.destroyed).toBe(true)
      }
      await expect(take(9)).rejects.toThrow('The file is too large; a statement may have 1 GiB at most.')
      expect(taken.splice(0)).toEqual(['1234', '5678'])
      await take(10)
      expect(taken).toHaveLength(3)
    })
  })

  describe('an upload that is cut off', () => {
    it('leaves nothing, and is no defect', async () => {
      const { socket } = await openSocket()
      socket.write(headOf(PATH, 10_000_000) + BEGINNING + 'x'.repeat(300_000))
      await eventually(async () => expect(await countParts()).toBeGreaterThan(1))
      socket.destroy()
      await eventually(async () => expect(await countParts()).toBe(0))
      expect(lines).toEqual([])
    })

    it('is said to be, where the form ends too early', async () => {
      const { socket, came } = await openSocket()
      const body = `${BEGINNING}${'x'.repeat(300_000)}`
      socket.write(headOf(PATH, body.length) + body)
      await eventually(() => expect(came()).toContain('</html>'))
      expect(came()).toMatch(/^HTTP\/1\.1 422 /)
      expect(came()).toContain('The file did not arrive as a whole. Choose it and send it again.')
      expect(await countParts()).toBe(0)
      expect(lines).toEqual([])
      socket.destroy()
    })
  })
})

describe('a request that drips', () => {
  beforeAll(() => open(HASTY))
  afterAll(() => test.stop())

  it('is cut soon, whoever sends it, and an upload of somebody who may later: it leaves nothing', async () => {
    const cut: string[] = []
    /** Sends a head and then a byte again and again, until the console ends the connection. */
    const drip = async (what: string, head: string): Promise<void> => {
      const { socket, ended } = await openSocket()
      socket.write(head)
      const timer = setInterval(() => socket.write('x'), 20)
      await ended
      clearInterval(timer)
      cut.push(what)
    }
    const stranger = test.stranger()
    await Promise.all([
      drip('upload', `${headOf(PATH, 10_000_000)}${BEGINNING}${'x'.repeat(300_000)}`),
      drip('form', headOf('/payments/find', 60_000)),
      drip('sign-in', headOf('/sign-in', 60_000, stranger)),
      drip('upload of a stranger', headOf(PATH, 10_000_000, stranger)),
    ])
    expect(cut).toHaveLength(4)
    expect(cut.at(-1)).toBe('upload')
    expect(lines.join('')).toMatch(/connections_cut.*"sender"/)
    await eventually(async () => expect(await countParts()).toBe(0))
  })
})
