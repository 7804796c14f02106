import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import { openReceiver, openSimulator, pushBody, type SimulatorOptions } from './harness.ts'

/** A simulator and a receiver, and a push that the outcome's phone number, or its amount, chooses. */
export const openStage = async (options: SimulatorOptions) => {
  const simulator = await openSimulator(options)
  const receiver = await openReceiver()
  const body = (outcome: string, amount = 150) => {
    const phone = OUTCOMES.find(({ name }) => name === outcome)?.phones[0] ?? '254712345678'
    // Daraja refuses callback URLs with "query" in them.
    const CallBackURL = `${receiver.url}/callbacks/stk/${outcome.replace('query', 'asked')}`
    return pushBody({ PartyA: phone, PhoneNumber: phone, Amount: amount, CallBackURL })
  }
  const told = () => receiver.received.map((post) => JSON.parse(post.body).Body.stkCallback)
  return { simulator, receiver, body, told, push: (outcome: string) => simulator.push(body(outcome)) }
}
