import type { Mutant } from './mutant.ts'

/** Guards of the servers against hostile callers. */
export const EDGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'strangers have a budget in number only',
    law: 3,
    file: 'src/core/callback/strangers.ts',
    changes: [{ find: 'minute.bytes += bytes', replace: 'minute.bytes += 0 * bytes' }],
    killedBy: {
      file: 'test/core/callback/strangers.test.ts',
      test: 'is one of bytes as well as of number',
    },
  },
  {
    name: 'native gRPC has no cap of connections an address',
    law: 7,
    file: 'src/core/server/grpc-connections.ts',
    changes: [
      {
        find: 'guardConnections(server, { limits, ',
        replace: 'guardConnections(server, { limits: { ...limits, maxPerAddress: 1e9 }, ',
      },
    ],
    killedBy: {
      file: 'test/core/server/grpc-connections.test.ts',
      test: 'keeps so many connections of one address open',
    },
  },
  {
    name: 'native gRPC waits for a preface for ever',
    law: 7,
    file: 'src/core/server/require-bytes.ts',
    changes: [
      {
        find: 'if (socket.bytesRead >= BYTES[beginning]) return',
        replace: 'if (socket.bytesRead >= 0) return',
      },
    ],
    killedBy: { file: 'test/core/server/grpc-connections.test.ts', test: 'says half a preface in time' },
  },
  {
    name: 'strangers are kept whole',
    law: 3,
    file: 'src/core/callback/strangers.ts',
    changes: [{ find: 'callback.body.subarray(0, maxBytes)', replace: 'callback.body' }],
    killedBy: { file: 'test/core/callback/strangers.test.ts', test: 'is the beginning of its body' },
  },
  {
    name: 'a key that is stored with blanks at its ends is refused',
    law: 2,
    file: 'src/core/services/payment-service.ts',
    changes: [
      {
        find: 'maxPaymentKes: partner.maxPaymentKes, storedKey }',
        replace: 'maxPaymentKes: partner.maxPaymentKes, storedKey: storedKey && null }',
      },
    ],
    killedBy: { file: 'test/contract/idempotency-blanks.test.ts', test: 'is a duplicate still' },
  },
  {
    name: 'two Host lines are one',
    law: 8,
    file: 'src/runtime/framing.ts',
    changes: [{ find: 'countHosts(rawHeaders) > 1', replace: 'countHosts(rawHeaders) > 2' }],
    killedBy: { file: 'test/contract/framing.test.ts', test: 'two Host lines' },
  },
]
