import type { PayerLimits } from '../core/request/payer-limits.ts'

/** What holds for real phones unless the settings say otherwise. */
const FOR_REAL_PHONES: PayerLimits = { openPrompts: 1, promptsPerHour: 10 }

const WITHOUT: PayerLimits = { openPrompts: null, promptsPerHour: null }

/**
 * How often a payer may be asked. Where the account is at Safaricom phones ring, so they are protected unless an operator
 * decides otherwise; where a simulator plays the payer, nobody is disturbed.
 */
export const payerLimitsOf = (config: {
  DARAJA_BASE_URL: string
  PAYER_OPEN_PROMPTS: number | null
  PAYER_PROMPTS_PER_HOUR: number | null
}): PayerLimits => {
  const isReal = new URL(config.DARAJA_BASE_URL).hostname.endsWith('safaricom.co.ke')
  const unset = isReal ? FOR_REAL_PHONES : WITHOUT
  return {
    openPrompts: toLimit(config.PAYER_OPEN_PROMPTS, unset.openPrompts),
    promptsPerHour: toLimit(config.PAYER_PROMPTS_PER_HOUR, unset.promptsPerHour),
  }
}

/** 0 is how an operator says: any number. */
const toLimit = (set: number | null, unset: number | null): number | null => {
  if (set === null) return unset
  return set === 0 ? null : set
}
