import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StatementService } from '../../../src/gen/mpesa/gateway/v1/statements_pb.js'
import { maskMsisdn } from '../../../src/values/msisdn.ts'
import { SCOPES } from '../../../src/values/scope.ts'
import { bearerOf, clientOver } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { SHORTCODE, statementOf } from '../statements/importing.ts'

/** The shortcode of the account that the core of a test has. */
const DARAJA_ACCOUNT = '174379'

let test: TestCore
let transports: Transports
let headers: Record<string, string>

beforeAll(async () => {
  test = await startTestCore()
  transports = await startTransports(test)
  headers = { ...(await bearerOf(test.database, ...SCOPES)), 'x-operator': 'amina' }
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

describe.each(['gRPC', 'Connect'])('statements, by operators through %s', (protocol) => {
  it.each(['254712345678', '0712345678', '00254712345678'])(
    'show %s whole in no account number, no note and no name of a file',
    async (number) => {
      const receipt = `TK${protocol.charAt(0).toUpperCase()}${number.slice(0, 7)}`
      const file = statementOf([{ receipt, at: '2026-11-25T11:00:00Z', account: number }]).replace(
        SHORTCODE,
        DARAJA_ACCOUNT,
      )
      const service = clientOver(transports, StatementService, protocol)
      const uploadId = randomUUID()
      await service.uploadStatementPart({ uploadId, at: 0n, content: Buffer.from(file) }, { headers })
      const imported = await service.importStatement({ uploadId, fileName: `${number}.csv` }, { headers })
      const { statementId } = imported.statement ?? {}
      const shown = maskMsisdn(number)
      expect(imported).toMatchObject({ statement: { fileName: `${shown}.csv` } })
      const note = { statementId, kind: 'unknown_here', note: `asked ${number}` }
      await service.acknowledgeStatementExceptions(note, { headers })
      const { exceptions } = await service.listStatementExceptions({ statementId }, { headers })
      expect(exceptions).toMatchObject([{ receipt, reference: shown, note: `asked ${shown}` }])
    },
  )
})
