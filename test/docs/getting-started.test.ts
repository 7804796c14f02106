import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createUnmigratedDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { lastingPort } from '../support/ports.ts'
import { createTestStream } from '../support/streams.ts'
import { blocksOf, type PageBlock, toPattern } from './page-blocks.ts'
import { openTerminal, type Terminal } from './terminal.ts'

const PAGE = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'getting-started.md'), 'utf8')

/** The usual ports, which the page names, and the settings that name others. */
const PORTS = {
  '8080': 'HTTP_PORT',
  '8081': 'OPS_PORT',
  '8082': null,
  '8090': 'SIMULATOR_PORT',
  '8091': null,
  '9080': 'CONNECT_PORT',
  '9090': 'GRPC_PORT',
} as const

const ADDRESS =
  /postgres:\/\/gateway:secret@127\.0\.0\.1:5432\/gateway|nats:\/\/127\.0\.0\.1:4222|(127\.0\.0\.1:|listen\()(\d{4})\b/g

/** What the reader has and a test has not: the usual ports, and a Postgres and a NATS of one's own. */
type Places = { databaseUrl: string; natsUrl: string; ports: ReadonlyMap<string, number> }

const DISPATCH = 'npm run --silent gateway -- dispatch'

const atPlaces = (text: string, { databaseUrl, natsUrl, ports }: Places): string =>
  text.replaceAll(ADDRESS, (found, before?: string, port?: string) => {
    if (port !== undefined) return `${before}${ports.get(port) ?? port}`
    return found.startsWith('nats') ? natsUrl : databaseUrl
  })

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe.skipIf(!hasCurl)('docs/getting-started.md, typed as it stands', () => {
  const stream = createTestStream()
  let own: TestDatabase
  let places: Places
  let terminal: Terminal
  /** Another reader's, of another database, would be in the folder of the default. */
  let spoolFolder: string
  /** What was exported in every terminal, and the secrets that were shown once. */
  let exported = ''
  let failed = false
  const secrets = new Map<string, string>()

  beforeAll(async () => {
    own = await createUnmigratedDatabase()
    const ports = new Map<string, number>()
    for (const usual of Object.keys(PORTS)) ports.set(usual, await lastingPort())
    places = { databaseUrl: own.url, natsUrl: inject('natsUrl'), ports }
    const settings = Object.entries(PORTS).flatMap(([usual, setting]) =>
      setting === null ? [] : [[setting, String(ports.get(usual))]],
    )
    spoolFolder = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
    terminal = openTerminal({
      ...Object.fromEntries(settings),
      NATS_STREAM: stream.name,
      SPOOL_DIR: spoolFolder,
    })
  })

  afterAll(async () => {
    await terminal?.close()
    await own?.drop()
    await stream.delete()
    await rm(spoolFolder, { recursive: true, force: true })
  })

  const typed = (block: PageBlock): string =>
    exported +
    atPlaces(block.command, places)
      .replaceAll(/mp[gs]_…/g, (name) => secrets.get(name) ?? name)
      // The one setting that two processes share and that means another port to each.
      .replace(DISPATCH, `OPS_PORT=${places.ports.get('8082')} ${DISPATCH}`)

  const remember = (block: PageBlock, printed: string): void => {
    if (block.kind === 'run') {
      const lines = typed(block).slice(exported.length).split('\n')
      exported += lines
        .filter((line) => line.startsWith('export '))
        .map((line) => `${line}\n`)
        .join('')
    }
    for (const [secret] of printed.matchAll(/\bmp[gs]_[0-9A-Za-z]{49}\b/g)) {
      const name = `${secret.slice(0, 4)}…`
      if (!secrets.has(name)) secrets.set(name, secret)
    }
  }

  const expectPrinted = (block: PageBlock, printed: string): void => {
    if (block.prints !== null) expect(printed.trim()).toMatch(toPattern(atPlaces(block.prints, places)))
  }

  it.each(blocksOf(PAGE).map((block) => [block.command.trim().split('\n').at(-1), block] as const))(
    '%s',
    async (_name, block) => {
      if (failed) throw new Error('a command before this one failed')
      failed = true
      let printed = ''
      if (block.kind === 'background') {
        const read = terminal.start(typed(block))
        await eventually(() => expectPrinted(block, read()))
      } else {
        const once = async (): Promise<void> => {
          printed = await terminal.run(typed(block))
          expectPrinted(block, printed)
        }
        await (block.kind === 'until' ? eventually(once) : once())
      }
      remember(block, printed)
      failed = false
    },
  )
})
