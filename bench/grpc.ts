import { create, toBinary } from '@bufbuild/protobuf'
import { credentials, Client as GrpcClient, Metadata } from '@grpc/grpc-js'
import { Pool } from 'undici'
import { PaymentService, RequestPaymentRequestSchema } from '../src/gen/mpesa/gateway/v1/payments_pb.js'
import { cpuSeconds } from './support/cpu-time.ts'
import { withOwnDatabase } from './support/own-database.ts'
import { median, printTable } from './support/report.ts'
import { type BenchServer, startBenchServer } from './support/server-process.ts'

const SERVERS = ['grpc-echo', 'grpc'] as const
const LIBRARIES = ['grpc-js', 'Connect'] as const

type Library = (typeof LIBRARIES)[number]

/** Calls under way at once. */
const AT_ONCE = 64

const WARM_SECONDS = 6

const PATH = `/${PaymentService.typeName}/RequestPayment`

const request = Buffer.from(
  toBinary(
    RequestPaymentRequestSchema,
    create(RequestPaymentRequestSchema, {
      msisdn: '254712345678',
      amountKes: 150,
      reference: 'INV-2025-001',
      callbackUrl: 'https://duka.co.ke/mpesa/callback',
    }),
  ),
)

/** What one library did in one turn. */
type Figures = { perSecond: number; cpuMicros: number }

type Results = Record<Library, Record<(typeof SERVERS)[number], Figures[]>>

/**
 * `npm run bench grpc`: unary RequestPayment through `grpc-js` and through Connect (HTTP/1.1), each with a durable commit,
 * beside a bare echo of each library with the same messages: calls a second with 64 at once, and the CPU that the server's
 * process takes for a call. The servers take short turns, one right after the other, for a machine that others share
 * changes its speed within seconds; printed are medians, and ratios of each round's figures. The client is on the same
 * cores and takes its share of them.
 */
export const benchGrpc = (options: { rounds: number; seconds: number }): Promise<void> =>
  withOwnDatabase(async ({ databaseUrl, say }) => {
    say(`${options.rounds} rounds of ${options.seconds} s`)
    const results: Results = {
      'grpc-js': { 'grpc-echo': [], grpc: [] },
      Connect: { 'grpc-echo': [], grpc: [] },
    }
    const servers: Record<(typeof SERVERS)[number], BenchServer> = {
      'grpc-echo': await startBenchServer('grpc-echo', { DATABASE_URL: databaseUrl }),
      grpc: await startBenchServer('grpc', { DATABASE_URL: databaseUrl }),
    }
    for (const library of LIBRARIES) {
      // What is compiled and cached by and by is not counted.
      for (const name of SERVERS) await load({ server: servers[name], library, seconds: WARM_SECONDS })
      for (let round = 0; round < options.rounds; round += 1) {
        for (const name of SERVERS) {
          results[library][name].push(
            await load({ server: servers[name], library, seconds: options.seconds }),
          )
        }
      }
    }
    await Promise.all(SERVERS.map((name) => servers[name].stop()))
    report(results)
  })

/** Calls a server for so many seconds, as many times at once as `AT_ONCE`. Rejects when a call fails. */
const load = async (options: {
  server: BenchServer
  library: Library
  seconds: number
}): Promise<Figures> => {
  const { server, library, seconds } = options
  const client = library === 'grpc-js' ? openGrpc(server) : openConnect(server)
  const [beganAt, cpuBefore] = [performance.now(), await cpuSeconds(server.pid)]
  const until = beganAt + seconds * 1000
  let calls = 0
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await client.call()
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
  const [tookMs, cpuAfter] = [performance.now() - beganAt, await cpuSeconds(server.pid)]
  await client.close()
  const cpu = cpuAfter === null || cpuBefore === null ? Number.NaN : cpuAfter - cpuBefore
  return { perSecond: (calls / tookMs) * 1000, cpuMicros: (cpu / calls) * 1e6 }
}

type BenchClient = { call(): Promise<void>; close(): Promise<void> }

/** The bytes are made once: a client that takes less of the cores leaves more to what is measured. */
const openGrpc = ({ ready }: BenchServer): BenchClient => {
  const channels = Array.from(
    { length: 4 },
    () =>
      new GrpcClient(`127.0.0.1:${ready['grpc']}`, credentials.createInsecure(), {
        // Else all of them share one connection.
        'grpc.use_local_subchannel_pool': 1,
      }),
  )
  const metadata = new Metadata()
  metadata.set('x-api-key', ready['api_key'] ?? 'none')
  const asIs = (bytes: Buffer): Buffer => bytes
  let turn = 0
  return {
    call: () =>
      new Promise((resolve, reject) => {
        turn = (turn + 1) % channels.length
        channels[turn]?.makeUnaryRequest(PATH, asIs, asIs, request, metadata, (error) =>
          error ? reject(error) : resolve(),
        )
      }),
    close: () => {
      for (const channel of channels) channel.close()
      return Promise.resolve()
    },
  }
}

const openConnect = ({ ready }: BenchServer): BenchClient => {
  const pool = new Pool(`http://127.0.0.1:${ready['connect']}`, { connections: AT_ONCE })
  const headers = { 'content-type': 'application/proto', 'x-api-key': ready['api_key'] ?? 'none' }
  return {
    call: async () => {
      const answer = await pool.request({ path: PATH, method: 'POST', headers, body: request })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}: ${text}`)
    },
    close: () => pool.close(),
  }
}

const report = (results: Results): void => {
  printTable(
    LIBRARIES.flatMap((library) =>
      SERVERS.map((name) => ({
        server: `${library}${name === 'grpc' ? '' : ', echo'}`,
        'calls/s': Math.round(median(results[library][name].map((one) => one.perSecond))),
        'CPU µs a call': Math.round(median(results[library][name].map((one) => one.cpuMicros))),
      })),
    ),
  )
  for (const library of LIBRARIES) {
    const ratios = results[library].grpc.map(
      (one, round) => one.perSecond / (results[library]['grpc-echo'][round]?.perSecond ?? 0),
    )
    const list = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
    process.stdout.write(`${library} / its echo: ${median(ratios).toFixed(2)} (${list}), aim 0.5\n`)
  }
}
