import type { JsonObject } from '@bufbuild/protobuf'
import type { Database } from '../../database/connect.ts'
import { planTheRestByIndex } from '../../database/plan-by-size.ts'
import type { ExportPayerRequest, PayerService } from '../../gen/mpesa/gateway/v1/payers_pb.js'
import type { Log } from '../../runtime/log.ts'
import { type Msisdn, parseMsisdn } from '../../values/msisdn.ts'
import type { Actor } from '../audit/record-audit.ts'
import { type Erasure, erasePayer, lockAndFindOpen } from '../payers/erase.ts'
import { exportPayer, type PayerRecord } from '../payers/export.ts'
import { findPayments } from '../payers/find-payments.ts'
import { findSpooled, listSpool, SpoolUnreadable } from '../payers/find-spooled.ts'
import { findPayment } from '../payments/find.ts'
import { askApproval } from './ask-approval.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { Refused, wrongField } from './refused.ts'

/** What the methods about payers use. */
export type PayerParts = {
  database: Database
  log: Log
  spoolFolder: string
  /** Another operator must approve an erasure. */
  fourEyes: boolean
}

type Methods = OperatorMethods<typeof PayerService, PayerParts>

/** How many open payments a message names. */
const NAMED = 10

const answerErase: Methods['erasePayer'] = async (parts, request, actor) => {
  const { database, log, spoolFolder } = parts
  const msisdn = await readPayer(database, request)
  await requireNoneInSpool(spoolFolder, msisdn)
  if (parts.fourEyes) throw await askErasure(database, { msisdn, actor })
  const erasure = await erasePayer({ database, msisdn, actor })
  if (erasure.kind !== 'erased') throw toRefusedErasure(erasure)
  const { payments, deliveries, callbacks } = erasure.rows
  log.info({ event: 'payer_erased', payments, deliveries, callbacks })
  return { payments: BigInt(payments), deliveries: BigInt(deliveries), callbacks: BigInt(callbacks) }
}

/** The number that is meant: as it was given, or that of the payer of a payment. */
const readPayer = async (
  database: Database,
  { msisdn: given, paymentId }: Pick<ExportPayerRequest, 'msisdn' | 'paymentId'>,
): Promise<Msisdn> => {
  if (paymentId === undefined && given === '')
    throw wrongField('msisdn', 'must be given, or payment_id in its place')
  if (paymentId === undefined) return readMsisdn(given)
  if (given !== '') throw wrongField('payment_id', 'must be left out where the number is given')
  const payment = await findPayment(database, 'anybody', paymentId)
  if (payment === undefined) throw new Refused('not_found', `there is no payment ${paymentId}`)
  const parsed = parseMsisdn(payment.msisdn)
  if (!parsed.ok) throw new Refused('not_possible', `the payer of payment ${paymentId} was erased before`)
  return parsed.value
}

/** Checks what the erasure would check, and asks for it; the payer is named by one of its payments. */
const askErasure = async (
  database: Database,
  { msisdn, actor }: { msisdn: Msisdn; actor: Actor },
): Promise<Refused> => {
  const paymentId = await findPaymentOf(database, msisdn)
  if (paymentId === null)
    return new Refused('not_possible', 'nothing was changed: there is no payment of this payer')
  const ids = await findPayments(database, { msisdn, after: null, atMost: null })
  const open = await database.transaction().execute(async (transaction) => {
    await planTheRestByIndex(transaction)
    return await lockAndFindOpen(transaction, ids)
  })
  if (open.length > 0) return new Refused('not_possible', openMessage(open))
  return askApproval(database, { kind: 'erase_payer', paymentId, parameters: {}, actor })
}

const findPaymentOf = async (database: Database, msisdn: Msisdn): Promise<bigint | null> => {
  const query = database.selectFrom('payments').select('id').where('msisdn', '=', msisdn)
  return (await query.orderBy('id').limit(1).executeTakeFirst())?.id ?? null
}

const readMsisdn = (text: string): Msisdn => {
  const parsed = parseMsisdn(text)
  // It does not repeat what may be nearly a number.
  if (!parsed.ok) throw wrongField('msisdn', 'must be 12 digits that start with 2547 or 2541')
  return parsed.value
}

/** Why a payer was not erased. */
export const toRefusedErasure = (erasure: Exclude<Erasure, { kind: 'erased' }>): Refused =>
  new Refused(
    'not_possible',
    erasure.kind === 'open'
      ? openMessage(erasure.payments)
      : 'nothing was changed: a statement is being imported, or was just now, and may hold the number. Repeat the command when that is done',
  )

/** Why the payer of these open payments is not erased. */
const openMessage = (payments: readonly bigint[]): string => {
  const named = payments.slice(0, NAMED).join(', ')
  const more = payments.length > NAMED ? ` and ${payments.length - NAMED} more` : ''
  return (
    `nothing was changed: payment ${named}${more} is open, or its outcome is not delivered yet, or Daraja is asked about it again, and needs the number. ` +
    'Repeat the command when it is settled (gateway payments show ID), its delivery ended (gateway deliveries cancel ends it) and Daraja has answered'
  )
}

/** A callback in the spool of this machine would bring the number back when it is replayed. */
export const requireNoneInSpool = async (folder: string, msisdn: Msisdn): Promise<void> => {
  const path = await findSpooled(folder, msisdn).catch(refuseUnreadable)
  if (path === null) return
  throw new Refused(
    'not_possible',
    `nothing was changed: ${path} holds callbacks of this payer. One that ends in .aside is yours to read and delete (docs/operations.md, spool_damaged); any other is in Postgres soon: repeat the command then`,
  )
}

/** Throws `Refused` where the spool cannot be read. */
export const requireReadableSpool = async (folder: string): Promise<void> => {
  await listSpool(folder).catch(refuseUnreadable)
}

const refuseUnreadable = (error: unknown): never => {
  if (!(error instanceof SpoolUnreadable)) throw error
  throw new Refused('not_possible', `nothing was changed: the spool cannot be read: ${error.message}`)
}

const answerExport: Methods['exportPayer'] = async ({ database, log, spoolFolder }, request, actor) => {
  const limit = readPageSize(request.pageSize, { usual: 50, max: 200 })
  const after = readAfterOrBefore('after', request.after)
  const msisdn = await readPayer(database, request)
  await requireNoneInSpool(spoolFolder, msisdn)
  const { records, nextAfter } = await exportPayer({ database, msisdn, after, limit, actor })
  log.info({ event: 'payer_exported', records: records.length })
  return { records: records.map(toRecordMessage), nextAfter: nextAfter ?? undefined }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Postgres has them as JSON
const toRecordMessage = ({ kind, fields }: PayerRecord) => ({ kind, fields: fields as JsonObject })

/** PayerService. */
export const payerMethods: Methods = { erasePayer: answerErase, exportPayer: answerExport }
