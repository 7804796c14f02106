/** Something that one party did about a payment, or that is to come. Its texts are as they came: they are not masked. */
export type Entry = {
  at: Date
  party: 'partner' | 'gateway' | 'daraja' | 'operator'
  kind:
    | 'requested'
    | 'moved'
    | 'callback'
    | 'finding'
    | 'delivery'
    | 'attempt'
    | 'by_hand'
    | 'push'
    | 'query'
    | 'next_attempt'
  sentence: string
  tone?: 'good' | 'bad'
  /** Names and values; null: not known, and left out. */
  details?: readonly (readonly [name: string, value: string | null])[]
  evidence?: string | null
  ahead?: true
  deliveryId?: bigint
  findingId?: bigint
}
