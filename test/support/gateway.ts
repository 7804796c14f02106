import type { Database } from '../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from './database.ts'
import { openTestFolder } from './folder.ts'
import {
  beginGatewayProcess,
  type GatewayCommand,
  type GatewayProcess,
  type StartingProcess,
  startGatewayProcess,
} from './gateway-process.ts'
import { type OutsideWorld, startOutsideWorld } from './outside-world.ts'
import { addPartner } from './partner.ts'
import { lastingPort } from './ports.ts'
import { gatewaySettings, type Settings } from './settings.ts'
import { createTestStream, type TestStream } from './streams.ts'

type Command = Exclude<GatewayCommand, 'simulator'>

/** A gateway in processes of its own, what they need, and a partner. */
export type TestGateway = {
  database: Database
  databaseUrl: string
  stream: TestStream | null
  world: OutsideWorld
  apiKey: string
  /** Where the first `serve` listens, and Daraja calls back. */
  httpUrl: string
  spoolFolder: string
  /** What its processes are started with. */
  settings: Settings
  serve: GatewayProcess[]
  dispatch: GatewayProcess[]
  /** Starts one more process, with what is to be otherwise for it; it is killed at the end. */
  start(command: Command, settings?: Settings): Promise<GatewayProcess>
  /** Starts it, and does not wait until it is ready, which it may never be. */
  begin(command: Command, settings?: Settings): StartingProcess
  /** Kills its processes, and closes all that was started here. */
  close(): Promise<void>
}

/**
 * Starts `serve` and `dispatch` as many times as asked, on a database and a stream of their own, with a simulator and a
 * partner's endpoint in this process. `settings` are by name, in the place of the usual ones.
 */
export const startTestGateway = async (
  options: {
    serve?: number
    dispatch?: number
    settings?: Settings
    /** Another database than a test database; it is closed at the end. */
    database?: OpenDatabase
    /** What its processes are started from, where that is not the suite's gateway. */
    main?: string
    /** Null: no JetStream. */
    stream?: null
    callbackDelayMs?: number
  } = {},
): Promise<TestGateway> => {
  await using opening = new AsyncDisposableStack()
  const { database, url: databaseUrl } = opening.adopt(
    options.database ?? (await openTestDatabase({ poolSize: 3 })),
    (one) => one.close(),
  )
  const stream = options.stream === null ? null : opening.adopt(createTestStream(), (one) => one.delete())
  const { callbackDelayMs = 100 } = options
  const world = opening.adopt(await startOutsideWorld({ callbackDelayMs }), (one) => one.close())
  const { apiKey } = await addPartner(database)
  const { path: spoolFolder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const port = await lastingPort()
  const httpUrl = `http://127.0.0.1:${port}`
  const places = { databaseUrl, stream, darajaUrl: world.simulator.url, publicUrl: httpUrl, spoolFolder }
  const settings = { ...gatewaySettings(places), HTTP_PORT: String(port), ...options.settings }

  const processes: Pick<GatewayProcess, 'end'>[] = []
  opening.defer(() => Promise.all(processes.map((one) => one.end('SIGKILL'))).then(() => undefined))
  const begin = (command: Command, others: Settings = {}): StartingProcess => {
    const process = beginGatewayProcess(command, { ...settings, ...others }, options.main)
    processes.push(process)
    return process
  }
  const start = async (command: Command, others: Settings = {}): Promise<GatewayProcess> => {
    const process = await startGatewayProcess(command, { ...settings, ...others }, options.main)
    processes.push(process)
    return process
  }
  // The first has the port that is known.
  const startMany = (command: Command, count = 0): Promise<GatewayProcess[]> =>
    Promise.all(
      Array.from({ length: count }, (_one, index) => start(command, index > 0 ? { HTTP_PORT: '0' } : {})),
    )
  const [serve, dispatch] = await Promise.all([
    startMany('serve', options.serve),
    startMany('dispatch', options.dispatch),
  ])
  const opened = opening.move()
  const close = (): Promise<void> => opened.disposeAsync()
  return {
    database,
    databaseUrl,
    stream,
    world,
    apiKey,
    httpUrl,
    spoolFolder,
    settings,
    serve,
    dispatch,
    start,
    begin,
    close,
  }
}
