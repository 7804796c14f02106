import { connect, type NatsConnection, type StreamInfo } from 'nats'
import { eventually } from '../support/eventually.ts'
import { lastingPort } from '../support/ports.ts'
import { type OwnNatsServer, prepareNatsServer } from './own-nats-server.ts'

/** Three NATS servers that keep streams together, to be taken away and brought back one by one. */
export type OwnNatsCluster = {
  /** Of all three, as `NATS_URL` has them. */
  url: string
  servers: ReadonlyMap<string, OwnNatsServer>
  /** What whichever of the servers answers knows of a stream. */
  streamInfo(stream: string): Promise<StreamInfo>
  drop(): Promise<void>
}

/** How long the three may take to agree on who leads, ms: they wait for each other for seconds. */
const PATIENCE_MS = 60_000

/** Starts the three; resolves when they keep streams. */
export const startNatsCluster = async (): Promise<OwnNatsCluster> => {
  const names = ['first', 'second', 'third']
  const routes = await Promise.all(names.map(async () => `nats://127.0.0.1:${await lastingPort()}`))
  const prepared = await Promise.all(
    names.map((name, index) =>
      prepareNatsServer([
        `--server_name=${name}`,
        '--cluster_name=own',
        `--cluster=${routes[index]}`,
        `--routes=${routes.join(',')}`,
      ]),
    ),
  )
  const urls = prepared.map(({ url }) => url)
  const use = async <Result>(work: (connection: NatsConnection) => Promise<Result>): Promise<Result> => {
    const connection = await connect({ servers: urls, timeout: 2_000, reconnect: false })
    try {
      return await work(connection)
    } finally {
      await connection.close()
    }
  }
  const drop = async (): Promise<void> => {
    await Promise.all(prepared.map((server) => server.drop()))
  }
  try {
    await Promise.all(prepared.map((server) => server.start()))
    await eventually(() => use((connection) => connection.jetstreamManager()), PATIENCE_MS)
  } catch (error) {
    await drop()
    throw error
  }
  return {
    url: urls.join(','),
    servers: new Map(prepared.map((server, index) => [names[index] ?? '', server])),
    streamInfo: (stream) =>
      use(async (connection) =>
        (await connection.jetstreamManager({ checkAPI: false })).streams.info(stream),
      ),
    drop,
  }
}
