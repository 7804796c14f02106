import { vi } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { isFiring } from './alert-watch.ts'
import { commandsOf } from './runbook.ts'
import type { Stage } from './stage.ts'

/** Something that goes wrong at night, and how it is mended by what the runbook shows. */
export type Night = {
  name: string
  /** The page and the section of the runbook. */
  runbook: readonly [page: string, heading: string]
  /** The alert that wakes; null: a person tells. */
  alert: string | null
  /** Brings it about, for real, and waits until it is so. Resolves with what stands in the place of the runbook's examples. */
  cause(stage: Stage): Promise<Readonly<Record<string, string>>>
  /**
   * What is typed, in this order: the beginning of a command of the section, which must be there; or what somebody else
   * does meanwhile, as a partner that mends its endpoint.
   */
  steps: readonly (string | ((stage: Stage) => Promise<void> | void))[]
  /** Throws until it is mended. */
  isMended(stage: Stage): Promise<void>
}

/** How a night went. */
export type Played = { night: string; alert: string; commands: number; seconds: number; printed: string }

const DAY_BEFORE_MINUTES = 30
const CLEARED_MINUTES = 40

/** How long it waits, and how often it looks: a look at an alert is a process of promtool. */
const WAIT = { timeout: 60_000, interval: 1_000 }

const asThere = (command: string, places: Readonly<Record<string, string>>): string =>
  Object.entries(places).reduce((text, [example, own]) => text.replaceAll(example, own), command)

/** The operators' ports, which the runbooks name as they usually are. */
export const portsOf = ({ gateway: { serve, dispatch } }: Stage): Record<string, string> => ({
  'http://127.0.0.1:8081': serve[0]?.ready['ops_url'] ?? '',
  'http://127.0.0.1:8082': dispatch[0]?.ready['ops_url'] ?? '',
})

/** Brings a night about, waits for its alert, types what the runbook shows, and waits until it is mended and the alert clear. */
export const playNight = async (stage: Stage, night: Night): Promise<Played> => {
  const commands = await commandsOf(...night.runbook)
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
  const typed: string[] = []
  let printed = ''
  for (const step of night.steps) {
    if (typeof step === 'string') {
      const command = commands.find((one) => one.startsWith(step) && !typed.includes(one))
      if (command === undefined) throw new Error(`the runbook does not show: ${step}`)
      const own = asThere(command, places)
      printed += `$ ${own}\n${await stage.shell.type(own)}`
      typed.push(command)
    } else await step(stage)
  }
  await vi
    .waitFor(() => night.isMended(stage), { ...WAIT, interval: 250 })
    .catch((error: unknown) => {
      throw new Error(`it is not mended: ${String(error)}\n${printed}`)
    })
  const seconds = (performance.now() - startedMs) / 1000
  if (alert !== null) {
    const after = [...fired, { samples: await stage.scrape(), minutes: CLEARED_MINUTES }]
    if (await isFiring(stage.promtool, alert, after)) throw new Error(`${alert} does not clear\n${printed}`)
  }
  return { night: night.name, alert: alert ?? 'a person tells', commands: typed.length, seconds, printed }
}
