import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { type OutsideWorld, startOutsideWorld } from '../faults/outside-world.ts'
import { createPartnerClient, type PartnerClient } from '../faults/partner-client.ts'
import { makePlan, seededRandom } from '../faults/plan.ts'
import { faultEnvironment } from '../faults/processes.ts'
import { typeCommand } from '../support/command.ts'
import { quietLog } from '../support/core.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { createTestStream } from '../support/streams.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { onDatabase, runStatement, testDatabaseName } from '../support/test-run.ts'
import { type FrontDoor, openFrontDoor, type Replica } from './front-door.ts'
import type { Sources } from './release-sources.ts'

export type ReleaseName = 'old' | 'new'

/** A process of one of the two releases. */
export type ProcessName = `${ReleaseName} ${'serve' | 'dispatch'}`

/** Two releases on one empty database and one stream, what is outside of them, and the door before them. */
export type Stage = {
  database: Database
  databaseUrl: string
  world: OutsideWorld
  client: PartnerClient
  /** Reads one of its payments as the partner does, and the list. */
  read(paymentId: number): Promise<void>
  door: FrontDoor
  spoolFolder: string
  /** The way of a release's `serve` to Postgres. */
  links: Record<ReleaseName, TcpLink>
  /** Runs `migrate` of a release; resolves with what it said. Throws when it failed. */
  migrate(release: ReleaseName): Promise<string>
  start(name: ProcessName): Promise<void>
  /** Ends a process in order, and takes down how it ended when that was not in order. */
  stop(name: ProcessName): Promise<void>
  kill(name: ProcessName): Promise<void>
  /** Where the `serve` of a release that runs is reached. */
  replica(release: ReleaseName): Replica
  /** What went wrong so far that no fault explains: processes that ended by themselves, answers that must not be. */
  problems(): string[]
  close(): Promise<void>
}

/** Which payments are asked for, and what is drawn for them: the same each time. */
const SEED = 17

export const openStage = async (sources: Record<ReleaseName, Pick<Sources, 'main'>>): Promise<Stage> => {
  await using opening = new AsyncDisposableStack()
  const serverUrl = inject('databaseUrl')
  const name = testDatabaseName(inject('testRun'), randomBytes(6).toString('hex'))
  await runStatement(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  opening.defer(() => runStatement(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const databaseUrl = onDatabase(serverUrl, name)
  const database = opening.adopt(connectDatabase({ databaseUrl, poolSize: 2, log: quietLog }), (one) =>
    one.destroy(),
  )
  const stream = createTestStream()
  opening.defer(() => stream.delete())
  const world = opening.adopt(await startOutsideWorld({ random: seededRandom(SEED) }), (one) => one.close())
  const door = opening.adopt(await openFrontDoor(), (one) => one.close())
  const spoolFolder = await mkdtemp(join(tmpdir(), 'releases-spool-'))
  opening.defer(() => rm(spoolFolder, { recursive: true, force: true }))
  const { port } = new URL(databaseUrl)
  const links = { old: await openTcpLink(Number(port || 5432)), new: await openTcpLink(Number(port || 5432)) }
  opening.defer(() => Promise.all(Object.values(links).map((link) => link.close())).then(() => undefined))
  const environmentOf = (release: ReleaseName): Record<string, string> =>
    faultEnvironment({
      databaseUrl: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: links[release].port })
        .href,
      natsUrl: stream.natsUrl,
      natsStream: stream.name,
      darajaUrl: world.simulator.url,
      httpPort: 0,
      publicPort: door.port,
      spoolFolder,
    })
  const processes = keepProcesses(sources, environmentOf)
  opening.defer(() => processes.killAll())
  const migrate = async (release: ReleaseName): Promise<string> => {
    const { main } = sources[release]
    const typed = await typeCommand(['migrate'], { DATABASE_URL: databaseUrl }, '', { main })
    if (typed.code !== 0) throw new Error(`migrate of the ${release} release failed: ${typed.stderr}`)
    return typed.stdout
  }
  await migrate('old')
  const apiKey = await createPartner(sources.old.main, environmentOf('old'))
  const client = opening.adopt(
    createPartnerClient({
      httpUrl: () => `http://127.0.0.1:${door.port}`,
      apiKey,
      callbackUrl: `http://127.0.0.1:${world.receiver.port}/told`,
    }),
    (one) => one.close(),
  )
  const opened = opening.move()
  return {
    ...processes,
    database,
    databaseUrl,
    world,
    client,
    read: async (paymentId) => {
      const url = `http://127.0.0.1:${door.port}/api/v1/mpesa/transactions`
      for (const path of [`${url}/${paymentId}`, `${url}?limit=5`]) {
        const answer = await fetch(path, { headers: { 'x-api-key': apiKey } })
        await answer.body?.cancel()
      }
    },
    door,
    spoolFolder,
    links,
    migrate,
    problems: () => [...processes.ended(), ...client.complaints, ...door.answers.flatMap(judge)],
    close: () => opened.disposeAsync(),
  }
}

/** The partner is one of the release before. Resolves with its key. */
const createPartner = async (main: string, environment: Record<string, string>): Promise<string> => {
  const words = ['partners', 'create', '--name', 'Duka la Wanjiku', '--json']
  const { stdout } = await typeCommand(words, environment, '', { main })
  const created = JSON.parse(stdout) as { api_key: string }
  return created.api_key
}

/** "Away" may be said, and nothing else that puts the blame on us. */
const judge = (answer: FrontDoor['answers'][number]): string[] => {
  const isRight = answer.status < 500 || (answer.status === 503 && !/internal/i.test(answer.text))
  return isRight ? [] : [`${answer.replica} answered ${answer.status} ${answer.text}`]
}

const keepProcesses = (
  sources: Record<ReleaseName, Pick<Sources, 'main'>>,
  environmentOf: (release: ReleaseName) => Record<string, string>,
) => {
  const running = new Map<ProcessName, GatewayProcess>()
  const ended: string[] = []

  const start = async (name: ProcessName): Promise<void> => {
    const release = name.startsWith('old') ? 'old' : 'new'
    const command = name.endsWith('serve') ? 'serve' : 'dispatch'
    const process = await startGatewayProcess(command, environmentOf(release), sources[release].main)
    running.set(name, process)
    void process.ended.then((how) => {
      if (running.get(name) === process) ended.push(`${name} ended by itself with ${how}: ${lastOf(process)}`)
    })
  }
  const end = async (name: ProcessName, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const process = running.get(name)
    running.delete(name)
    const how = await process?.end(signal)
    if (signal === 'SIGTERM' && process && how !== 0) ended.push(`${name} was stopped and ended with ${how}`)
  }
  return {
    start,
    stop: (name: ProcessName) => end(name, 'SIGTERM'),
    kill: (name: ProcessName) => end(name, 'SIGKILL'),
    replica: (release: ReleaseName): Replica => {
      const url = running.get(`${release} serve`)?.ready['http_url']
      if (url === undefined) throw new Error(`the ${release} serve does not run`)
      return { name: release, port: Number(new URL(url).port) }
    },
    ended: () => ended,
    killAll: () => Promise.all([...running.keys()].map((name) => end(name, 'SIGKILL'))).then(() => undefined),
  }
}

/** The last thing that a process said of itself. */
const lastOf = (process: GatewayProcess): string =>
  process
    .log()
    .split('\n')
    .findLast((line) => line.includes('"level":"fatal"') || line.includes('"level":"error"')) ?? 'nothing'

/** Asks for payments, some in a second, until it is ended. */
export const startLoad = (stage: Stage): { end(): void; answered(): Promise<void> } => {
  const { wishes } = makePlan(SEED, 600)
  const asked: Promise<void>[] = []
  const timer = setInterval(() => {
    const wish = wishes[asked.length]
    if (wish === undefined) return
    asked.push(stage.client.ask(wish))
    const answered = [...stage.client.answered.values()].at(-1)
    // What it comes to is for the door to say.
    if (answered !== undefined) stage.read(answered).catch(() => undefined)
  }, 60)
  return {
    end: () => clearInterval(timer),
    /** Resolves when every one that was asked for was answered. */
    answered: async () => {
      await Promise.all(asked)
    },
  }
}
