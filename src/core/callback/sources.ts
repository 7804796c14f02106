import { type AddressList, includesAddress } from '../../values/address-list.ts'
import type { StrangerLimits } from './strangers.ts'

/** From which addresses callbacks are taken. */
export type CallbackSources = {
  /** `off`: from all; `log`: from all, and the others are told of; `enforce`: the others are refused. */
  mode: 'off' | 'log' | 'enforce'
  list: AddressList
  strangers: StrangerLimits
}

/** What a source may do: call back, call back and be told of, or be kept without being believed. */
export type SourceVerdict = 'taken' | 'told_of' | 'refused'

export const judgeSource = ({ mode, list }: CallbackSources, address: string): SourceVerdict => {
  if (mode === 'off' || includesAddress(list, address)) return 'taken'
  return mode === 'log' ? 'told_of' : 'refused'
}
