import { CORE_CASES } from './core-cases.ts'
import { DARAJA_CASES } from './daraja-cases.ts'
import { DELIVERY_CASES } from './delivery-cases.ts'
import type { AlertCase } from './test-group.ts'

/** What each alert does with samples that are made up; at least one case for each. */
export const CASES: readonly AlertCase[] = [...CORE_CASES, ...DARAJA_CASES, ...DELIVERY_CASES]
