import { type AddressList, includesAddress } from '../../values/address-list.ts'

/** From which addresses callbacks are taken. */
export type CallbackSources = {
  /** `off`: from all; `log`: from all, and the others are told of; `enforce`: the others are refused. */
  mode: 'off' | 'log' | 'enforce'
  list: AddressList
}

/** What a source may do: call back, call back and be told of, or be kept without being believed. */
export type SourceVerdict = 'taken' | 'told_of' | 'refused'

export const judgeSource = ({ mode, list }: CallbackSources, address: string): SourceVerdict => {
  if (mode === 'off' || includesAddress(list, address)) return 'taken'
  return mode === 'log' ? 'told_of' : 'refused'
}

/** Refused callbacks without a token of ours that are kept in a minute, by each process. */
const KEPT_PER_MINUTE = 60

/**
 * Says whether one more refused callback may be kept that also names no payment: a few tell the operator what comes, a flood
 * of them would only fill the disk.
 */
export const createStrangersBudget = (nowMs: () => number): (() => boolean) => {
  let minuteBeganMs = Number.NEGATIVE_INFINITY
  let kept = 0
  return () => {
    if (nowMs() - minuteBeganMs >= 60_000) {
      minuteBeganMs = nowMs()
      kept = 0
    }
    kept += 1
    return kept <= KEPT_PER_MINUTE
  }
}
