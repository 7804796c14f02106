import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { createOperatorClient } from '../../../src/core/services/operator-client.ts'
import { statementMethods } from '../../../src/core/services/statement-methods.ts'
import { createGivenReferences } from '../../../src/core/statements/given-references.ts'
import { MOST_PART_BYTES } from '../../../src/core/statements/uploads.ts'
import type { Database } from '../../../src/database/connect.ts'
import type { PaymentStateName } from '../../../src/database/schema/payments.ts'
import {
  type ImportStatementResponse,
  StatementService,
} from '../../../src/gen/mpesa/gateway/v1/statements_pb.js'
import type { OperatorClient } from '../../../src/runtime/operator-client.ts'
import { testActor } from '../../support/actor.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { TEST_SECRET_KEY } from '../../support/vault.ts'

/** The paybill of the default account of these tests. */
export const SHORTCODE = '600123'

export const referencesOf = createGivenReferences({
  secretKey: Buffer.from(TEST_SECRET_KEY, 'hex'),
  previousSecretKey: null,
})

/** The service's methods, called as an operator of a shell does. */
export const statementsOf = (database: Database): OperatorClient<typeof StatementService> =>
  createOperatorClient({
    service: StatementService,
    methods: statementMethods,
    parts: {
      database,
      log: quietLog,
      defaultAccount: () => ({ shortcode: SHORTCODE, partyB: SHORTCODE }),
      openReferences: () => referencesOf,
    },
    actor: testActor,
  })

/** Hands a file over in parts and imports it. */
export const importFile = async (
  database: Database,
  file: Buffer | string,
  options: { shortcode?: string; partBytes?: number } = {},
): Promise<ImportStatementResponse> => {
  const { shortcode, partBytes = MOST_PART_BYTES } = options
  const service = statementsOf(database)
  const [bytes, uploadId] = [Buffer.from(file), randomUUID()]
  for (let at = 0; at < bytes.length; at += partBytes) {
    await service.uploadStatementPart({
      uploadId,
      at: BigInt(at),
      content: bytes.subarray(at, at + partBytes),
    })
  }
  return service.importStatement({ uploadId, fileName: 'statement.csv', shortcode })
}

export type GivenPayment = {
  state: PaymentStateName
  at: string
  /** Until when its payer may be prompted; `at` unless given. */
  submitBy?: string
  receipt?: string
  amountKes?: number
  reference?: string
  accountId?: bigint
  partnerId?: bigint
  nonce?: string
}

/** Puts a payment there that was asked for at an instant and, if it is paid or failed, ended twenty seconds later. */
export const putPayment = async (database: Database, payment: GivenPayment): Promise<bigint> => {
  const { state, at, receipt = null, amountKes = 150, reference = null, accountId = 0n } = payment
  const { partnerId = 1n, nonce = null, submitBy = at } = payment
  const created = new Date(at)
  const ended = ['successful', 'failed'].includes(state) ? new Date(created.getTime() + 20_000) : null
  const { rows } = await sql<{ id: bigint }>`
    INSERT INTO payments (partner_id, msisdn, amount_kes, reference, callback_url, state, created_at, submit_by, receipt,
      transaction_date, account_id, callback_nonce)
    VALUES (${partnerId}, '254712345678', ${amountKes}, ${reference}, 'https://shop.co.ke/callback', ${state},
      ${created}, ${new Date(submitBy)}, ${receipt}, ${ended}, ${accountId}, ${nonce})
    RETURNING id
  `.execute(database)
  const id = rows[0]?.id ?? 0n
  if (receipt !== null)
    await sql`INSERT INTO receipts (receipt, payment_id) VALUES (${receipt}, ${id})`.execute(database)
  return id
}

/** A line of a statement; `at` is an instant in UTC, which the file has in East Africa Time. */
export type GivenLine = {
  receipt: string
  at: string
  paidIn?: string
  withdrawn?: string
  status?: string
  account?: string
  linked?: string
  reason?: string
}

const toEastAfrica = (at: string): string => {
  const [day = '', time = ''] = new Date(Date.parse(at) + 3 * 3_600_000).toISOString().slice(0, 19).split('T')
  return `${day.split('-').toReversed().join('-')} ${time}`
}

const COLUMNS =
  'Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Reason Type,Other Party Info,Linked Transaction ID,A/C No.'

const toRow = (line: GivenLine): string => {
  const {
    paidIn = '150.00',
    withdrawn = '',
    status = 'Completed',
    account = '',
    linked = '',
    reason = 'Pay Utility',
  } = line
  const who = '254712345678 - ACHIENG'
  const cells = [
    line.receipt,
    toEastAfrica(line.at),
    who,
    status,
    paidIn,
    withdrawn,
    reason,
    who,
    linked,
    account,
  ]
  return cells.map((cell) => `"${cell}"`).join(',')
}

/** A statement of a day, 24 November 21:00 UTC to 25 November 21:00 UTC, unless `period` is another or null. */
export const statementOf = (
  lines: readonly GivenLine[],
  period: { from: string; to: string; reported?: string } | null = {
    from: '2026-11-24T21:00:00Z',
    to: '2026-11-25T20:59:59Z',
    reported: '2026-11-26T05:00:00Z',
  },
): string => {
  const head =
    period === null
      ? [`Short Code:,${SHORTCODE}`]
      : [
          `Short Code:,${SHORTCODE}`,
          'Account:,Utility Account',
          `Time Period:,,From ${toEastAfrica(period.from)},,To ${toEastAfrica(period.to)}`,
          ...(period.reported ? [`Operator:,amina,,Date of Report:,${toEastAfrica(period.reported)}`] : []),
        ]
  return [...head, COLUMNS, ...lines.map(toRow)].join('\r\n')
}
