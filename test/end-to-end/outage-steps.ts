import { expect } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import type { OutageDeployment } from './outage-deployment.ts'

/** Processes start and stop here, which takes a loaded machine its time. */
export const soon = <Result>(check: () => Promise<Result>): Promise<Result> => eventually(check, 45_000)

/** What `/readyz` of an operations port says. */
export const readiness = async (url: string | undefined): Promise<{ status: number; body: unknown }> => {
  const answer = await fetch(`${url}/readyz`)
  return { status: answer.status, body: await answer.json() }
}

const stateOf = (test: OutageDeployment, id: number) =>
  test.database
    .selectFrom('payments')
    .select('state')
    .where('id', '=', BigInt(id))
    .executeTakeFirstOrThrow()
    .then(({ state }) => state)

/** A payment whose payer has been prompted. */
export const prompted = async (test: OutageDeployment): Promise<number> => {
  const paid = await soon(async () => {
    const answer = await test.pay()
    expect(answer.status).toBe(200)
    return answer
  })
  await soon(async () => expect(await stateOf(test, paid.id)).toBe('submitted'))
  return paid.id
}

/** What was kept during the outage has been interpreted, and its outcome delivered. */
export const isPaidAndDelivered = (test: OutageDeployment, id: number) =>
  soon(async () => {
    expect(await stateOf(test, id)).toBe('successful')
    expect(deliveriesOf(test.world.receiver, id)).toHaveLength(1)
    expect(await test.spooled()).toBe(0)
  })

/** Payments are put off, to be asked for again soon. */
export const refusesPayments = (test: OutageDeployment) =>
  soon(async () => expect(await test.pay()).toMatchObject({ status: 503, retryAfter: '1' }))
