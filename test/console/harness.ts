import { randomBytes } from 'node:crypto'
import { Registry } from 'prom-client'
import { createClientsOf } from '../../src/cli/console-clients.ts'
import { refusingOutages } from '../../src/cli/console-refusals.ts'
import type { ConsoleParts } from '../../src/console/console-parts.ts'
import { countSignIns } from '../../src/console/count-sign-ins.ts'
import { type ConsoleLimits, startConsole } from '../../src/console/server.ts'
import { createLink, createOperator } from '../../src/core/operators/operator.ts'
import { createSignIns } from '../../src/core/operators/sign-in.ts'
import type { Database } from '../../src/database/connect.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { OperatorRole } from '../../src/values/operator-role.ts'
import { testActor } from '../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { openTestFolder } from '../support/folder.ts'
import { quietLog } from '../support/quiet-log.ts'
import { testVault } from '../support/vault.ts'

/** A console on a real database and a real socket. */
export type TestConsole = {
  url: string
  database: Database
  databaseUrl: string
  parts: ConsoleParts
  /** Where it counts. */
  registry: Registry
  /** Signs in as the operator who is named after the role, and has it. */
  as(role: OperatorRole): Promise<TestBrowser>
  /** Somebody who is not signed in. */
  stranger(): TestBrowser
  stop(): Promise<void>
}

/** What came back. */
export type Answer = {
  status: number
  headers: Headers
  body: string
  /** Where it leads, for a redirect. */
  location: string | null
}

/** Somebody with a browser: keeps cookies, follows no redirect. */
export type TestBrowser = {
  /** By name: what it keeps. */
  cookies: Map<string, string>
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  /** Sends a form as a page of the console does, unless `headers` say otherwise. */
  post(path: string, form?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>
  /** Sends a form with a file, as a page of the console does, unless `headers` say otherwise. */
  upload(
    path: string,
    form: Record<string, string>,
    file: File | null,
    headers?: Record<string, string>,
  ): Promise<Answer>
}

/** The account of the gateway's own settings. */
const ACCOUNT = {
  consumerKey: 'key',
  consumerSecret: 'secret',
  shortcode: '600123',
  passkey: 'passkey',
  transactionType: 'CustomerPayBillOnline',
  partyB: '600123',
} as const

/** What is wrong with an account when Daraja is asked with it; null: nothing. */
export type DarajaSays = () => string | null

const noDaraja = (): never => {
  throw new Error('a test has no Daraja')
}

/** Starts a console on an empty database of its own, or on `on`, which stays the caller's. */
export const openConsole = async (
  options: {
    on?: OpenDatabase
    parts?: Partial<ConsoleParts>
    fourEyes?: boolean
    limits?: ConsoleLimits
    daraja?: DarajaSays
    /** Test callbacks may go to this machine, by http. */
    privateCallbacks?: boolean
    samplesWithinMs?: number
  } = {},
): Promise<TestConsole> => {
  await using opening = new AsyncDisposableStack()
  const open = options.on ?? opening.adopt(await openTestDatabase(), (one) => one.close())
  const { path: spoolFolder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const { database } = open
  const clientsOf = createClientsOf({
    database,
    log: quietLog,
    vault: testVault,
    randomBytes,
    spoolFolder,
    overdueAfterMs: 900_000,
    fourEyes: options.fourEyes ?? false,
    sampleWay: {
      allowHttp: options.privateCallbacks ?? false,
      allowPrivateNetworks: options.privateCallbacks ?? false,
      nameServers: null,
    },
    samplesWithinMs: options.samplesWithinMs ?? 20_000,
    defaultAccount: () => ACCOUNT,
    openReferences: () => () => [],
    checkAccount: async () => ({ problem: (options.daraja ?? noDaraja)() }),
  })
  const { log = quietLog } = options.parts ?? {}
  const registry = new Registry()
  const signIns = countSignIns(refusingOutages(createSignIns({ database, log, randomBytes })), registry)
  const parts: ConsoleParts = {
    clientsOf,
    signIns,
    log: quietLog,
    clock: systemClock,
    hosts: [],
    trustedProxies: [],
    isReady: async () => true,
    ...options.parts,
  }
  const at = { host: '127.0.0.1', port: 0, limits: options.limits }
  const running = opening.adopt(await startConsole({ ...parts, ...at }), (one) => one.close())
  const opened = opening.move()
  return {
    url: running.url,
    database,
    databaseUrl: open.url,
    parts,
    registry,
    as: async (role) => {
      const made = await addOperator(database, role)
      const browser = browserAt(running.url)
      const { status } = await browser.post('/sign-in/link', { code: made.code })
      if (status !== 303) throw new Error(`the sign-in was answered ${status}`)
      return browser
    },
    stranger: () => browserAt(running.url),
    stop: () => opened.disposeAsync(),
  }
}

/** The password of operators who are made with one. */
export const PASSWORD = 'a password of a test'

/** Makes an operator who is named after the role, or finds the one there is: with the code of a new link. */
const addOperator = async (database: Database, role: OperatorRole): Promise<{ code: string }> => {
  const given = { database, actor: testActor, randomBytes }
  const made = await createOperator({ ...given, name: role, role, password: null })
  if (made?.code) return { code: made.code }
  const known = await database
    .selectFrom('operators')
    .select('id')
    .where('name', '=', role)
    .executeTakeFirst()
  const code = await createLink({ ...given, operatorId: known?.id ?? 0n })
  if (code === null) throw new Error(`${role} is disabled`)
  return { code }
}

/** Somebody with a browser who knows where the console is. */
const browserAt = (url: string): TestBrowser => {
  const cookies = new Map<string, string>()
  const send = async (
    path: string,
    given: Record<string, string>,
    init: RequestInit = {},
  ): Promise<Answer> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...given, ...(cookie !== '' && { cookie }) }
    const response = await fetch(`${url}${path}`, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) keep(cookies, line)
    return {
      status: response.status,
      headers: response.headers,
      body: await response.text(),
      location: response.headers.get('location'),
    }
  }
  return {
    cookies,
    get: (path, headers = {}) => send(path, headers),
    post: (path, form = {}, headers = {}) =>
      send(path, { origin: url, ...headers }, { method: 'POST', body: new URLSearchParams(form) }),
    upload: (path, form, file, headers = {}) => {
      const body = new FormData()
      for (const [name, value] of Object.entries(form)) body.append(name, value)
      if (file !== null) body.append('file', file)
      return send(path, { origin: url, ...headers }, { method: 'POST', body })
    },
  }
}

const keep = (cookies: Map<string, string>, line: string): void => {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
  if (value === '' || /max-age=0/i.test(line)) cookies.delete(name)
  else cookies.set(name, value)
}
