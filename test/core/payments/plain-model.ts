import type { PaymentStateName } from '../../../src/database/schema/payments.ts'

/** What came of a push, as the world will tell it whenever it is asked. */
export type Reply = 'accepted' | 'refused' | 'later' | 'unknown'

/** Who says how a payment ended. */
export type Witness = 'callback' | 'query' | 'pull' | 'operator'

/** Something that happens to a payment. `push` counts its pushes from the first, 0. */
export type Happening =
  | { kind: 'take' }
  | { kind: 'lease_ends' }
  | { kind: 'pause_ends' }
  | { kind: 'deadline_passes' }
  | { kind: 'cancel' }
  | { kind: 'reply'; push: number; reply: Reply }
  | ({ kind: 'witness'; by: Witness; isPaid: boolean; receipt: string | null } & OfCallback)

/** What a callback shows of whose it is; other witnesses show nothing of the kind. */
export type OfCallback = {
  nonce: 'own' | 'other' | null
  checkoutId: 'ours' | 'other' | null
  isAmountRight: boolean
}

/** A receipt that proves another payment already. */
export const TAKEN = 'TAKEN'

/** A payment as this plain model sees it: no database, no batches, no locks. */
export type Model = {
  state: PaymentStateName
  receipt: string | null
  /** Whose CheckoutRequestID stands in it. */
  checkoutId: 'ours' | 'other' | null
  moves: string[]
  delivered: string[]
  duties: Set<'submit' | 'query' | 'confirm'>
  findings: Set<string>
  /** What was found, to the letter: only what is new has the truth asked for. */
  details: Set<string>
  isLeased: boolean
  isDue: boolean
  isTooOld: boolean
  /** What each push came to; null: nobody heard yet. A second reply to a push says the same as the first. */
  pushes: (Reply | null)[]
}

export const newModel = (): Model => ({
  state: 'accepted',
  receipt: null,
  checkoutId: null,
  moves: [],
  delivered: [],
  duties: new Set(['submit']),
  findings: new Set(),
  details: new Set(),
  isLeased: false,
  isDue: true,
  isTooOld: false,
  pushes: [],
})

const move = (model: Model, to: PaymentStateName): void => {
  model.moves.push(`${model.state}>${to}`)
  model.state = to
}

const settle = (model: Model, isPaid: boolean, receipt: string | null): void => {
  if (model.state === 'successful') return settleAgain(model, isPaid, receipt)
  if (model.state === 'failed' && !isPaid) return
  move(model, isPaid ? 'successful' : 'failed')
  model.receipt = isPaid ? receipt : null
  model.delivered.push(model.state)
  model.duties.clear()
}

const settleAgain = (model: Model, isPaid: boolean, receipt: string | null): void => {
  if (!isPaid) model.findings.add('failure_after_success')
  else if (receipt !== null && model.receipt === null) {
    model.receipt = receipt
    model.duties.clear()
  } else if (receipt !== null && receipt !== model.receipt) model.findings.add('different_receipt')
}

const take = (model: Model): void => {
  if (!model.duties.has('submit') || model.isLeased || !model.isDue) return
  if (model.state === 'submitting') {
    move(model, 'unconfirmed')
    model.duties = new Set(['confirm'])
  } else if (model.isTooOld) settle(model, false, null)
  else {
    move(model, 'submitting')
    model.isLeased = true
    model.pushes.push(null)
  }
}

const hear = (model: Model, push: number, said: Reply): void => {
  const reply = model.pushes[push] ?? said
  model.pushes[push] = reply
  const isLast = push === model.pushes.length - 1
  if (reply === 'accepted') {
    if (model.state === 'submitting') move(model, 'submitted')
    if (model.checkoutId === 'other') model.findings.add('different_checkout_request_id')
    model.checkoutId ??= 'ours'
    if (model.state === 'submitted' || model.state === 'unconfirmed') model.duties.add('query')
    model.duties.delete('submit')
  }
  if (reply === 'unknown' && model.state === 'submitting') {
    move(model, 'unconfirmed')
    model.duties = new Set(['confirm'])
  }
  if (reply === 'refused') settle(model, false, null)
  if (reply === 'later' && isLast && model.state === 'unconfirmed') settle(model, false, null)
  if (reply === 'later' && isLast && model.state === 'submitting') {
    move(model, 'accepted')
    model.isLeased = false
    model.isDue = model.isTooOld
  }
}

/** Lets something happen to the model; true when it could happen at all, and so has to happen to the gateway too. */
export const happen = (model: Model, happening: Happening): boolean => {
  switch (happening.kind) {
    case 'take':
      take(model)
      return true
    case 'lease_ends':
      model.isLeased = false
      return true
    case 'pause_ends':
      model.isDue = true
      return true
    case 'deadline_passes':
      model.isTooOld = true
      model.isDue = true
      return true
    case 'cancel':
      if (model.state === 'accepted') settle(model, false, null)
      return true
    case 'reply':
      if (happening.push >= model.pushes.length) return false
      hear(model, happening.push, happening.reply)
      return true
    case 'witness':
      return testify(model, happening)
    default:
      return happening satisfies never
  }
}

type Said = Extract<Happening, { kind: 'witness' }>

const testify = (model: Model, said: Said): boolean => {
  const { by, isPaid, receipt } = said
  if (by === 'query' && !model.duties.has('query')) return false
  if (by === 'pull' && !(isPaid && receipt !== null)) return false
  if (by === 'operator' && isRefused(model, isPaid ? receipt : null, isPaid)) return true
  if (by === 'callback' && !isBelieved(model, said)) return true
  const brought = by === 'query' || !isPaid ? null : receipt
  if (brought === TAKEN && wouldTake(model)) {
    // An operator is delivered, and nothing is kept.
    if (by !== 'operator') find(model, said, 'receipt_of_another_payment', by)
    return true
  }
  const before = model.moves.length
  const hadReceipt = model.receipt !== null
  settle(model, isPaid, brought)
  const isWritten = model.moves.length > before || (!hadReceipt && model.receipt !== null)
  if (by === 'callback' && isWritten) model.checkoutId ??= said.checkoutId
  return true
}

/** An operator's word that no arrow follows, and that fills in no receipt, is refused, and leaves no trace. */
const isRefused = (model: Model, receipt: string | null, isPaid: boolean): boolean =>
  model.state === 'successful'
    ? receipt === null || model.receipt !== null
    : model.state === 'failed' && !isPaid

/** Whether a success would write its receipt down. */
const wouldTake = (model: Model): boolean => model.state !== 'successful' || model.receipt === null

const isBelieved = (model: Model, said: Said): boolean => {
  const { nonce, checkoutId, isAmountRight } = said
  const sides = `${said.isPaid} ${said.isPaid ? said.receipt : null} ${checkoutId} ${model.checkoutId}`
  if (nonce === 'other') return find(model, said, 'of_another_payment', sides)
  if (model.state === 'submitting') return false
  const isOtherPush = checkoutId !== null && model.checkoutId !== null && checkoutId !== model.checkoutId
  if (isOtherPush || !isAmountRight) {
    if (isOtherPush) find(model, said, 'different_checkout_request_id', `${checkoutId} ${model.checkoutId}`)
    if (!isAmountRight) find(model, said, 'different_amount', '')
    return false
  }
  const isProven = nonce === 'own' || (checkoutId !== null && checkoutId === model.checkoutId)
  return isProven || find(model, said, 'not_proven', sides)
}

/** Keeps a finding; one that is new, of a success after a failure, has Daraja asked where it can be. False: not believed. */
const find = (model: Model, { isPaid }: Said, kind: string, detail: string): false => {
  const isNew = !model.details.has(`${kind} ${detail}`)
  model.findings.add(kind)
  model.details.add(`${kind} ${detail}`)
  if (isNew && isPaid && model.state === 'failed' && model.checkoutId !== null) model.duties.add('query')
  return false
}
