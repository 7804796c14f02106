import type { Database } from '../../src/database/connect.ts'
import { createPartnerClient, type PartnerClient } from '../faults/partner-client.ts'
import { makePlan, seededRandom } from '../faults/plan.ts'
import { typeCommand } from '../support/command.ts'
import { createUnmigratedDatabase, openTestDatabase } from '../support/database.ts'
import { openTestFolder } from '../support/folder.ts'
import { startGatewayProcess } from '../support/gateway-process.ts'
import { type KeptProcesses, keepProcesses } from '../support/kept-processes.ts'
import { type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts'
import { gatewaySettings, type Settings, SHORT_TIMES } from '../support/settings.ts'
import { createTestStream } from '../support/streams.ts'
import { type DatabaseLink, openDatabaseLink, type TcpLink } from '../support/tcp-link.ts'
import { openRecordingProxy, type RecordingProxy, type Replica } from './recording-proxy.ts'
import type { Startable } from './release-sources.ts'

export type ReleaseName = 'old' | 'new'

/** A process of one of the two releases. */
export type ProcessName = `${ReleaseName} ${'serve' | 'dispatch'}`

/** Two releases on one empty database and one stream, what is outside of them, and the proxy before them. */
export type Stage = Pick<KeptProcesses<ProcessName>, 'start' | 'stop' | 'kill'> & {
  database: Database
  databaseUrl: string
  world: OutsideWorld
  client: PartnerClient
  /** Reads one of its payments as the partner does, and the list. */
  read(paymentId: number): Promise<void>
  proxy: RecordingProxy
  spoolFolder: string
  /** The way of a release's `serve` to Postgres. */
  links: Record<ReleaseName, TcpLink>
  /** Runs `migrate` of a release; resolves with what it said. Throws when it failed. */
  migrate(release: ReleaseName): Promise<string>
  /** Where the `serve` of a release that runs is reached. */
  replica(release: ReleaseName): Replica
  /** What went wrong so far that no fault explains: processes that ended by themselves, answers that must not be. */
  problems(): string[]
  close(): Promise<void>
}

/** Which payments are asked for, and what is drawn for them: the same each time. */
const SEED = 17

export const openStage = async (sources: Record<ReleaseName, Startable>): Promise<Stage> => {
  await using opening = new AsyncDisposableStack()
  const { database, url: databaseUrl } = opening.adopt(
    await openTestDatabase({ poolSize: 2, on: await createUnmigratedDatabase() }),
    (one) => one.close(),
  )
  const stream = opening.adopt(createTestStream(), (one) => one.delete())
  const world = opening.adopt(await startOutsideWorld({ random: seededRandom(SEED) }), (one) => one.close())
  const proxy = opening.adopt(await openRecordingProxy(), (one) => one.close())
  const { path: spoolFolder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const openLink = async (): Promise<DatabaseLink> =>
    opening.adopt(await openDatabaseLink(databaseUrl), ({ link }) => link.close())
  const ways = { old: await openLink(), new: await openLink() }
  const settingsOf = (release: ReleaseName): Settings => ({
    ...gatewaySettings({
      databaseUrl: ways[release].url,
      stream,
      darajaUrl: world.simulator.url,
      publicUrl: `http://127.0.0.1:${proxy.port}`,
      spoolFolder,
    }),
    ...SHORT_TIMES,
  })
  const processes = keepProcesses<ProcessName>({
    start: (name) => {
      const release = name.startsWith('old') ? 'old' : 'new'
      const command = name.endsWith('serve') ? 'serve' : 'dispatch'
      return startGatewayProcess(command, settingsOf(release), sources[release].main)
    },
    isRetried: false,
  })
  opening.defer(() => processes.killAll())
  const migrate = async (release: ReleaseName): Promise<string> => {
    const { main } = sources[release]
    const typed = await typeCommand(['migrate'], { DATABASE_URL: databaseUrl }, '', { main })
    if (typed.code !== 0) throw new Error(`migrate of the ${release} release failed: ${typed.stderr}`)
    return typed.stdout
  }
  await migrate('old')
  const apiKey = await createPartner(sources.old.main, settingsOf('old'))
  const client = opening.adopt(
    createPartnerClient({
      httpUrl: () => `http://127.0.0.1:${proxy.port}`,
      apiKey,
      callbackUrl: `http://127.0.0.1:${world.receiver.port}/outcome`,
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
      const url = `http://127.0.0.1:${proxy.port}/api/v1/mpesa/transactions`
      for (const path of [`${url}/${paymentId}`, `${url}?limit=5`]) {
        const answer = await fetch(path, { headers: { 'x-api-key': apiKey } })
        await answer.body?.cancel()
      }
    },
    proxy,
    spoolFolder,
    links: { old: ways.old.link, new: ways.new.link },
    replica: (release) => {
      const url = processes.running(`${release} serve`)?.ready['http_url']
      if (url === undefined) throw new Error(`the ${release} serve does not run`)
      return { name: release, port: Number(new URL(url).port) }
    },
    migrate,
    problems: () => [...processes.wrongEnds(), ...client.complaints, ...proxy.answers.flatMap(judge)],
    close: () => opened.disposeAsync(),
  }
}

/** The partner is one of the release before. Resolves with its key. */
const createPartner = async (main: string, settings: Settings): Promise<string> => {
  const words = ['partners', 'create', '--name', 'Duka la Wanjiku', '--json']
  const { stdout } = await typeCommand(words, settings, '', { main })
  const created = JSON.parse(stdout) as { api_key: string }
  return created.api_key
}

/** "Away" may be said, and nothing else that puts the blame on us. */
const judge = (answer: RecordingProxy['answers'][number]): string[] => {
  const isRight = answer.status < 500 || (answer.status === 503 && !/internal/i.test(answer.text))
  return isRight ? [] : [`${answer.replica} answered ${answer.status} ${answer.text}`]
}

/** A payment is asked for so often, ms: a few a second, which also a loaded machine keeps up with. */
const ASK_EVERY_MS = 200

/** No more payments are asked for while so many wait for their answer. */
const UNANSWERED = 8

/** Asks for payments, some in a second, until it is ended. */
export const startLoad = (stage: Stage): { end(): void; answered(): Promise<void> } => {
  const { wishes } = makePlan(SEED, 600)
  const unanswered = new Set<Promise<void>>()
  const waiting = wishes.values()
  const timer = setInterval(() => {
    if (unanswered.size >= UNANSWERED) return
    const wish = waiting.next().value
    if (wish === undefined) return
    const asked = stage.client.ask(wish).finally(() => unanswered.delete(asked))
    unanswered.add(asked)
    const answered = [...stage.client.answered.values()].at(-1)
    // What it comes to is for the proxy to say.
    if (answered !== undefined) stage.read(answered).catch(() => undefined)
  }, ASK_EVERY_MS)
  return {
    end: () => clearInterval(timer),
    /** Resolves when every one that was asked for was answered. */
    answered: async () => {
      await Promise.all(unanswered)
    },
  }
}
