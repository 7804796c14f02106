import { type AddressList, includesAddress } from '../../values/address-list.ts'

/** From which addresses callbacks are taken. */
export type CallbackSources = {
  /** `off`: from all; `log`: from all, and the others are told of; `enforce`: the others are refused. */
  mode: 'off' | 'log' | 'enforce'
  list: AddressList
  /** Callbacks without a token of ours, from other addresses than the list's, that a process keeps in a minute. */
  strangersPerMinute: number
}

/** What a source may do: call back, call back and be told of, or be kept without being believed. */
export type SourceVerdict = 'taken' | 'told_of' | 'refused'

export const judgeSource = ({ mode, list }: CallbackSources, address: string): SourceVerdict => {
  if (mode === 'off' || includesAddress(list, address)) return 'taken'
  return mode === 'log' ? 'told_of' : 'refused'
}

/**
 * Says whether one more callback may be kept that names no payment of ours. Those of the list may always be kept: they would
 * be Daraja's, and we would be wrong about our own tokens. Of all others a few tell the operator what comes, a flood of them
 * would only fill the disk.
 */
export const createStrangersBudget = (
  { list, strangersPerMinute }: CallbackSources,
  nowMs: () => number,
): ((address: string) => boolean) => {
  let minuteBeganMs = Number.NEGATIVE_INFINITY
  let kept = 0
  return (address) => {
    if (includesAddress(list, address)) return true
    if (nowMs() - minuteBeganMs >= 60_000) {
      minuteBeganMs = nowMs()
      kept = 0
    }
    kept += 1
    return kept <= strangersPerMinute
  }
}
