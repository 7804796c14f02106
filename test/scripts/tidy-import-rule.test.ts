import { describe, expect, it } from 'vitest'
import { importRule } from '../../scripts/tidy/import-rule.ts'

const judge = (path: string, ...imports: string[]) =>
  importRule([{ path, text: imports.map((one) => `import { a } from '${one}'\n`).join('') }])

describe('the import rule', () => {
  it.each([
    ['src/facade/server.ts', '../core/core.ts', 'facade may not import core'],
    ['src/core/core.ts', '../simulator/server.ts', 'core may not import simulator'],
    ['src/dispatcher/deliver/post.ts', '../../core/daraja/client.ts', 'dispatcher may not import core'],
    ['src/simulator/server.ts', '../database/connect.ts', 'simulator may not import database'],
    ['src/facade/transactions/transaction.ts', '../../queue/connect.ts', 'facade may not import queue'],
    ['src/values/ids.ts', '../runtime/clock.ts', 'values may not import runtime'],
    ['src/runtime/log.ts', '../gen/mpesa/gateway/v1/payments_pb.js', 'runtime may not import gen'],
    ['src/queue/connect.ts', '../database/connect.ts', 'queue may not import database'],
    ['src/database/connect.ts', '../core/core.ts', 'database may not import core'],
    ['src/core/core.ts', '../cli/main.ts', 'core may not import cli'],
    [
      'src/core/core.ts',
      '../../test/support/core.ts',
      'core may not import test/support/core.ts, which is not part of src',
    ],
    [
      'src/local/start.ts',
      '../../scripts/install.mjs',
      'local may not import scripts/install.mjs, which is not part of src',
    ],
    ['src/core/daraja/client.ts', '../payments/payment.ts', 'core/daraja may not import core/payments'],
    ['src/core/request/accept.ts', '../services/errors.ts', 'core/request may not import core/services'],
    [
      'src/core/request/accept.ts',
      '../core.ts',
      'core/request may not import src/core/core.ts, which puts the core together',
    ],
    ['src/extra/one.ts', '../values/ids.ts', 'the import rule does not know the folder src/extra'],
    [
      'src/core/extra/one.ts',
      '../daraja/client.ts',
      'the import rule does not know the folder src/core/extra',
    ],
    [
      'src/facade/server.ts',
      'kysely',
      'facade may not use the package kysely: only database, core, dispatcher, cli, local',
    ],
    [
      'src/dispatcher/deliver/post.ts',
      'nats/lib/x.js',
      'dispatcher may not use the package nats: only queue, local',
    ],
  ])('%s may not import %s', (path, specifier, problem) => {
    expect(judge(path, specifier)).toEqual([{ path, line: 1, problem }])
  })

  it.each([
    ['src/facade/server.ts', '../values/ids.ts'],
    ['src/facade/server.ts', './errors.ts'],
    ['src/facade/server.ts', '../gen/mpesa/gateway/v1/payments_pb.js'],
    ['src/core/settle/settle.ts', '../outbox/enqueue.ts'],
    ['src/core/callback/interpret.ts', '../settle/settle.ts'],
    ['src/core/services/payment-service.ts', '../request/accept.ts'],
    ['src/core/core.ts', './server/services.ts'],
    ['src/core/submit/submit.ts', '../metrics.ts'],
    ['src/dispatcher/deliver/attempts.ts', '../../database/connect.ts'],
    ['src/cli/serve.ts', '../facade/server.ts'],
    ['src/local/start.ts', '../cli/main.ts'],
    ['src/simulator/server.ts', 'fastify'],
    ['src/simulator/server.ts', 'node:http'],
  ])('%s may import %s', (path, specifier) => {
    expect(judge(path, specifier)).toEqual([])
  })

  it('sees every form of import, on its line', () => {
    const text = [
      "import {\n  a,\n} from '../core/a.ts'",
      "import '../core/b.ts'",
      "export { c } from '../core/c.ts'",
      "const d = await import('../core/d.ts')",
      "import type { e } from '../core/e.ts'",
    ].join('\n')
    expect(importRule([{ path: 'src/facade/server.ts', text }]).map(({ line }) => line)).toEqual([
      3, 4, 5, 6, 7,
    ])
  })

  it('leaves tests and scripts free', () => {
    expect(
      judge('test/facade/server.test.ts', '../../src/core/core.ts', '../../src/facade/server.ts'),
    ).toEqual([])
  })
})
