import { vi } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import type { SentenceName } from '../../src/core/situation/sentence.ts'
import { isFiring } from './alert-watch.ts'
import type { Section } from './runbook.ts'
import type { Stage } from './stage.ts'

/** Something that goes wrong at night, and how it is mended by what the runbook shows. */
export type Night = {
  name: string
  /** The page and the section of the runbook. */
  runbook: Section
  /** The alert that wakes; null: a person tells. */
  alert: string | null
  /** Brings it about, for real, and waits until it is so. Resolves with what stands in the place of the runbook's examples. */
  cause(stage: Stage): Promise<Readonly<Record<string, string>>>
  /** What is typed, in this order: the beginning of a command of the section, which must be there; or what somebody else does. */
  steps: readonly (string | Meanwhile)[]
  /** The sentence of the console's *Now* that tells of it; null: it knows nothing of it. */
  sentence: SentenceName | null
  /** What is clicked in the console, in this order, from the page that the section leads to. */
  clicks: readonly (Click | Meanwhile)[]
  /** Throws until it is mended. */
  isMended(stage: Stage): Promise<void>
}

/** What somebody else does meanwhile, as a partner that mends its endpoint. */
type Meanwhile = (stage: Stage) => Promise<void> | void

/** A link, a button or what opens a part of a page, by its words; a field that is filled in; or a command of the section. */
export type Click =
  | { click: string; at?: string; ifShown?: true }
  | { fill: string; with: string }
  | { type: string }

/** By what somebody sees and mends it. */
export type Way = {
  /** What is counted. */
  unit: 'commands' | 'clicks'
  mend(
    stage: Stage,
    night: Night,
    places: Readonly<Record<string, string>>,
  ): Promise<{ count: number; shown: string }>
  /** Throws while it still tells of the night. */
  hasCleared(night: Night): Promise<void>
}

/** How a night went. */
export type Played = { night: string; alert: string; count: number; seconds: number; shown: string }

const DAY_BEFORE_MINUTES = 30
const CLEARED_MINUTES = 40

/** How long it waits, and how often it looks: a look at an alert is a process of promtool. */
const WAIT = { timeout: 60_000, interval: 1_000 }

/** The operators' ports, which the runbooks name as they usually are. */
export const portsOf = ({ gateway: { serve, dispatch } }: Stage): Record<string, string> => ({
  'http://127.0.0.1:8081': serve[0]?.ready['ops_url'] ?? '',
  'http://127.0.0.1:8082': dispatch[0]?.ready['ops_url'] ?? '',
})

/** Brings a night about, waits for its alert, has it mended, and waits until it is and the alert clear. */
export const playNight = async (stage: Stage, night: Night, way: Way): Promise<Played> => {
  const before = { samples: await stage.scrape(), minutes: DAY_BEFORE_MINUTES }
  const places = { ...portsOf(stage), ...(await night.cause(stage)) }
  const waits = Number.parseInt(ALERTS.find(({ name }) => name === night.alert)?.for ?? '0', 10) + 2
  const wrong = async () => [before, { samples: await stage.scrape(), minutes: waits }]
  const { alert } = night
  let fired = [before]
  if (alert !== null) {
    if (await isFiring(stage.promtool, alert, [before])) throw new Error(`${alert} fires before the night`)
    await vi.waitFor(async () => {
      fired = await wrong()
      if (!(await isFiring(stage.promtool, alert, fired))) throw new Error(`${alert} does not fire yet`)
    }, WAIT)
  }
  const startedMs = performance.now()
  const { count, shown } = await way.mend(stage, night, places)
  await vi
    .waitFor(() => night.isMended(stage), { ...WAIT, interval: 250 })
    .catch((error: unknown) => {
      throw new Error(`it is not mended: ${String(error)}\n${shown}`)
    })
  const seconds = (performance.now() - startedMs) / 1000
  if (alert !== null) {
    const after = [...fired, { samples: await stage.scrape(), minutes: CLEARED_MINUTES }]
    if (await isFiring(stage.promtool, alert, after)) throw new Error(`${alert} does not clear\n${shown}`)
  }
  await vi.waitFor(() => way.hasCleared(night), WAIT)
  return { night: night.name, alert: alert ?? 'a person tells', count, seconds, shown }
}
