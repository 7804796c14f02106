import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { parseReason } from '../deliveries/reason.ts'
import { acknowledgeFinding } from '../exceptions/acknowledge.ts'
import {
  EXCEPTION_KINDS,
  type ExceptionCursor,
  type ExceptionKind,
  type ListedException,
  listExceptions,
} from '../exceptions/list-exceptions.ts'
import { tellException } from '../exceptions/tell-exception.ts'
import { toFindingMessage } from './finding-message.ts'
import { masked, toMaskedPayment } from './masked.ts'
import { readPageSize } from './message-fields.ts'
import type { PaymentOperationsMethods as Methods } from './payment-operations-parts.ts'
import { Refused, wrongField } from './refused.ts'

/** PaymentOperationsService.ListExceptions. */
export const answerListExceptions: Methods['listExceptions'] = async (parts, request) => {
  const { database, reader: owner, overdueAfterMs } = parts
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const [cursor, kind] = [readToken(request.pageToken), readKind(request.kind)]
  const { exceptions, next } = await listExceptions({ database, owner, kind, overdueAfterMs, cursor, limit })
  return {
    exceptions: exceptions.map(toMessage),
    nextPageToken: next === null ? '' : `${next.paymentId}.${next.findingId}`,
  }
}

const readToken = (token: string): ExceptionCursor => {
  if (token === '') return { paymentId: 0n, findingId: 0n }
  const [, paymentId, findingId] = /^(\d{1,18})\.(\d{1,18})$/.exec(token) ?? []
  if (paymentId === undefined || findingId === undefined)
    throw wrongField('page_token', 'must be the next_page_token of the page before')
  return { paymentId: BigInt(paymentId), findingId: BigInt(findingId) }
}

const readKind = (given: string | undefined): ExceptionKind | null => {
  if (given === undefined) return null
  const kind = EXCEPTION_KINDS.find((one) => one === given)
  if (kind === undefined) throw wrongField('kind', `must be one of ${EXCEPTION_KINDS.join(', ')}`)
  return kind
}

const toMessage = (exception: ListedException) => {
  const { sentence, verbs } = tellException(exception)
  return {
    kind: exception.kind,
    since: timestampFromDate(exception.since),
    sentence: masked(sentence),
    payment: exception.payment === null ? undefined : toMaskedPayment(exception.payment),
    finding:
      exception.kind === 'finding'
        ? { ...toFindingMessage(exception.finding), detail: masked(exception.finding.detail) }
        : undefined,
    verbs,
  }
}

/** PaymentOperationsService.AcknowledgeFinding. */
export const answerAcknowledge: Methods['acknowledgeFinding'] = async (parts, request, actor) => {
  const { database, reader: owner, log } = parts
  const { findingId } = request
  const note = parseReason(request.note)
  if (!note.ok) throw wrongField('note', note.problem)
  const finding = await acknowledgeFinding({ database, owner, findingId, note: note.value, actor })
  if (finding === undefined) throw new Refused('not_found', `there is no finding ${findingId}`)
  log.info({ event: 'finding_acknowledged', payment_id: Number(finding.payment_id), kind: finding.kind })
  return { finding: { ...toFindingMessage(finding), detail: masked(finding.detail) } }
}
